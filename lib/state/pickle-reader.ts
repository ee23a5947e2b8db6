/**
 * The part of Python's pickle that PyTorch writes state_dicts with. A pickle is a program that can call anything; this
 * reader has a list of the few things it knows, makes plain data of them and calls nothing.
 */

/** A global that the list allows, such as a storage class. */
export class PickleGlobal {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** `function(*args)`, not called. */
export class PickleCall {
  readonly function: string;
  readonly args: readonly unknown[];

  constructor(name: string, args: readonly unknown[]) {
    this.function = name;
    this.args = args;
  }
}

/** What the file outside of the pickle has under an id. */
export class PersistentId {
  readonly id: unknown;

  constructor(id: unknown) {
    this.id = id;
  }
}

/** A Python dict; its keys can be of any type. */
export type PickleDict = Map<unknown, unknown>;

export class PickleError extends Error {
  /** Bytes from the start of the pickle. */
  readonly offset: number;

  constructor(offset: number, problem: string) {
    super(problem);
    this.offset = offset;
  }
}

/** Deeper than state_dicts nest, and than anything here recurses. */
const mostMarks = 1000;

const orderedDict = "collections.OrderedDict";

type Operation = (reader: PickleReader) => void;

const operations: Readonly<Record<number, Operation>> = {
  128: (r) => r.protocol(r.uint(1)), // PROTO
  149: (r) => void r.take(8), // FRAME
  125: (r) => r.push(new Map()), // EMPTY_DICT }
  93: (r) => r.push([]), // EMPTY_LIST ]
  41: (r) => r.push([]), // EMPTY_TUPLE )
  40: (r) => r.mark(), // MARK (
  78: (r) => r.push(null), // NONE N
  136: (r) => r.push(true), // NEWTRUE
  137: (r) => r.push(false), // NEWFALSE
  74: (r) => r.push(r.take(4).readInt32LE(0)), // BININT J
  75: (r) => r.push(r.uint(1)), // BININT1 K
  77: (r) => r.push(r.uint(2)), // BININT2 M
  138: (r) => r.push(r.long(r.uint(1))), // LONG1
  71: (r) => r.push(r.take(8).readDoubleBE(0)), // BINFLOAT G
  88: (r) => r.push(r.text(r.uint(4))), // BINUNICODE X
  140: (r) => r.push(r.text(r.uint(1))), // SHORT_BINUNICODE
  116: (r) => r.push(r.popMark()), // TUPLE t
  133: (r) => r.push(r.popMany(1)), // TUPLE1
  134: (r) => r.push(r.popMany(2)), // TUPLE2
  135: (r) => r.push(r.popMany(3)), // TUPLE3
  115: (r) => r.setItems(r.popMany(2)), // SETITEM s
  117: (r) => r.setItems(r.popMark()), // SETITEMS u
  97: (r) => r.append(r.popMany(1)), // APPEND a
  101: (r) => r.append(r.popMark()), // APPENDS e
  113: (r) => r.memoize(r.uint(1)), // BINPUT q
  114: (r) => r.memoize(r.uint(4)), // LONG_BINPUT r
  148: (r) => r.memoize(r.memoSize), // MEMOIZE
  104: (r) => r.recall(r.uint(1)), // BINGET h
  106: (r) => r.recall(r.uint(4)), // LONG_BINGET j
  99: (r) => r.global(r.line(), r.line()), // GLOBAL c
  147: (r) => r.global(...(r.popMany(2) as [unknown, unknown])), // STACK_GLOBAL
  82: (r) => r.call(...(r.popMany(2) as [unknown, unknown])), // REDUCE R
  81: (r) => r.push(new PersistentId(r.pop())), // BINPERSID Q
  46: (r) => r.stop(), // STOP .
};

/** @throws PickleError */
export function readPickle(bytes: Buffer, allowed: (name: string) => boolean): unknown {
  return new PickleReader(bytes, allowed).run();
}

class PickleReader {
  readonly #bytes: Buffer;
  readonly #allowed: (name: string) => boolean;
  readonly #stack: unknown[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();
  #at = 0;
  #begun = 0;
  #done = false;

  constructor(bytes: Buffer, allowed: (name: string) => boolean) {
    this.#bytes = bytes;
    this.#allowed = allowed;
  }

  run(): unknown {
    while (!this.#done) {
      this.#begun = this.#at;
      const code = this.uint(1);
      const operation = operations[code];
      if (!operation) throw this.#error(`the operation 0x${code.toString(16)} is not one that PyTorch writes`);
      operation(this);
    }
    const result = this.pop();
    if (this.#stack.length > 0) throw this.#error("more on the stack than the result");
    return result;
  }

  #error(problem: string): PickleError {
    return new PickleError(this.#begun, problem);
  }

  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw this.#error("the pickle ends in an operation");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint(length: number): number {
    return this.take(length).readUIntLE(0, length);
  }

  /** A two's complement integer of any length. */
  long(length: number): number | bigint {
    let value = 0n;
    for (const byte of Buffer.from(this.take(length)).reverse()) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(8 * length, value);
    return BigInt(Number(signed)) === signed ? Number(signed) : signed;
  }

  text(length: number): string {
    return this.take(length).toString("utf8");
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0 || end - this.#at > 1000) throw this.#error("a name without an end");
    return this.take(end + 1 - this.#at)
      .toString("utf8")
      .trimEnd();
  }

  protocol(version: number): void {
    if (version < 2 || version > 5) throw this.#error(`the pickle is of protocol ${version}`);
  }

  push(value: unknown): void {
    this.#stack.push(value);
  }

  pop(): unknown {
    return this.popMany(1)[0];
  }

  popMany(count: number): unknown[] {
    const floor = this.#marks.at(-1) ?? 0;
    if (this.#stack.length - count < floor) throw this.#error("the stack has too few values");
    return this.#stack.splice(this.#stack.length - count, count);
  }

  mark(): void {
    if (this.#marks.length === mostMarks) throw this.#error(`nested deeper than ${mostMarks}`);
    this.#marks.push(this.#stack.length);
  }

  popMark(): unknown[] {
    const from = this.#marks.pop();
    if (from === undefined) throw this.#error("no mark is set");
    return this.#stack.splice(from);
  }

  setItems(items: readonly unknown[]): void {
    const dict = this.#stack.at(-1);
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw this.#error("no dict to set items of");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  append(items: readonly unknown[]): void {
    const list = this.#stack.at(-1);
    if (!Array.isArray(list)) throw this.#error("no list to append to");
    for (const item of items) list.push(item);
  }

  get memoSize(): number {
    return this.#memo.size;
  }

  memoize(key: number): void {
    if (this.#stack.length === 0) throw this.#error("nothing to remember");
    this.#memo.set(key, this.#stack.at(-1));
  }

  recall(key: number): void {
    if (!this.#memo.has(key)) throw this.#error(`nothing is remembered as ${key}`);
    this.push(this.#memo.get(key));
  }

  global(module: unknown, name: unknown): void {
    const path = `${String(module)}.${String(name)}`;
    if (!this.#allowed(path)) throw this.#error(`it asks for ${path.slice(0, 100)}, which is not on the list`);
    this.push(new PickleGlobal(path));
  }

  call(callee: unknown, args: unknown): void {
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) throw this.#error("a call of something else");
    // An ordered dict is made empty and filled afterwards.
    this.push(callee.name === orderedDict ? new Map() : new PickleCall(callee.name, args));
  }

  stop(): void {
    this.#done = true;
  }
}
