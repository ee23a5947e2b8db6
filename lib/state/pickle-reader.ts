/**
 * The part of Python's pickle that PyTorch writes state_dicts with. A pickle is a program that can call anything; this
 * reader has a list of the few things it knows, makes plain data of them and calls nothing.
 */

import { PersistentId, PickleCall, PickleGlobal } from "./pickle-values.js";

export class PickleError extends Error {
  /** Bytes from the start of the pickle. */
  readonly offset: number;

  constructor(offset: number, problem: string) {
    super(problem);
    this.offset = offset;
  }
}

/** Deeper than state_dicts nest. */
const mostMarks = 1000;
/** Lists, dicts, tuples and calls: 100,000 parameters make no more. A pickle of nothing else takes less than 1 GB. */
const mostObjects = 2 ** 22;
/** PyTorch's pickles have 8 bytes or more for each object; of a few bytes nobody makes many. */
const bytesPerObject = 4;
const objectsOfAny = 1000;
/** Everything that is put on the stack or remembered: 8 bytes of memory each. */
const mostValues = 2 ** 24;
const longestName = 1000;

const orderedDict = "collections.OrderedDict";

type Operation = (reader: PickleReader) => void;

const operations: Readonly<Record<number, Operation>> = {
  128: (r) => r.protocol(r.uint(1)), // PROTO
  149: (r) => void r.take(8), // FRAME
  125: (r) => r.make(new Map()), // EMPTY_DICT }
  93: (r) => r.make([]), // EMPTY_LIST ]
  41: (r) => r.make([]), // EMPTY_TUPLE )
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
  116: (r) => r.make(r.popMark()), // TUPLE t
  133: (r) => r.make(r.popMany(1)), // TUPLE1
  134: (r) => r.make(r.popMany(2)), // TUPLE2
  135: (r) => r.make(r.popMany(3)), // TUPLE3
  115: (r) => r.setItems(r.popMany(2)), // SETITEM s
  117: (r) => r.setItems(r.popMark()), // SETITEMS u
  97: (r) => r.append(r.popMany(1)), // APPEND a
  101: (r) => r.append(r.popMark()), // APPENDS e
  113: (r) => r.memoize(r.uint(1)), // BINPUT q
  114: (r) => r.memoize(r.uint(4)), // LONG_BINPUT r
  148: (r) => r.memoize(), // MEMOIZE
  104: (r) => r.recall(r.uint(1)), // BINGET h
  106: (r) => r.recall(r.uint(4)), // LONG_BINGET j
  99: (r) => r.global(r.line(), r.line()), // GLOBAL c
  147: (r) => r.global(...(r.popMany(2) as [unknown, unknown])), // STACK_GLOBAL
  82: (r) => r.call(...(r.popMany(2) as [unknown, unknown])), // REDUCE R
  98: (r) => r.build(r.pop()), // BUILD b
  81: (r) => r.make(new PersistentId(r.pop())), // BINPERSID Q
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
  readonly #memo: unknown[] = [];
  #objects: number;
  #values = mostValues;
  #at = 0;
  #begun = 0;
  #done = false;

  constructor(bytes: Buffer, allowed: (name: string) => boolean) {
    this.#bytes = bytes;
    this.#allowed = allowed;
    this.#objects = Math.min(mostObjects, objectsOfAny + Math.floor(bytes.length / bytesPerObject));
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
    const digits = Buffer.from(this.take(length)).reverse().toString("hex");
    const signed = BigInt.asIntN(8 * length, BigInt(`0x0${digits}`));
    const number = Number(signed);
    return Number.isFinite(number) && BigInt(number) === signed ? number : signed;
  }

  text(length: number): string {
    return this.take(length).toString("utf8");
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0 || end - this.#at > longestName) throw this.#error("a name without an end");
    return this.take(end + 1 - this.#at)
      .toString("utf8")
      .trimEnd();
  }

  protocol(version: number): void {
    if (version < 2 || version > 5) throw this.#error(`the pickle is of protocol ${version}`);
  }

  push(value: unknown): void {
    this.#countValue();
    this.#stack.push(value);
  }

  /** Pushes an object. */
  make(value: object): void {
    this.#objects -= 1;
    if (this.#objects < 0) throw this.#error("more objects than a pickle of its length has");
    this.push(value);
  }

  #countValue(): void {
    this.#values -= 1;
    if (this.#values < 0) throw this.#error(`more than ${mostValues} values`);
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

  /** Python numbers what it remembers in order. */
  memoize(key = this.#memo.length): void {
    if (this.#stack.length === 0) throw this.#error("nothing to remember");
    if (key > this.#memo.length) throw this.#error(`it remembers out of order: ${key} after ${this.#memo.length}`);
    this.#countValue();
    this.#memo[key] = this.#stack.at(-1);
  }

  recall(key: number): void {
    if (key >= this.#memo.length) throw this.#error(`nothing is remembered as ${key}`);
    this.push(this.#memo[key]);
  }

  global(module: unknown, name: unknown): void {
    if (!isName(module) || !isName(name)) throw this.#error("a global whose name is no text");
    const path = `${module}.${name}`;
    if (!this.#allowed(path)) throw this.#error(`it asks for ${path.slice(0, 100)}, which is not on the list`);
    this.make(new PickleGlobal(path));
  }

  call(callee: unknown, args: unknown): void {
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) throw this.#error("a call of something else");
    // An ordered dict is made empty and filled afterwards.
    this.make(callee.name === orderedDict ? new Map() : new PickleCall(callee.name, args));
  }

  /**
   * Sets attributes of an object: models have a dict with `_metadata`, the versions of their layers, which nothing here
   * reads.
   */
  build(_: unknown): void {
    if (!(this.#stack.at(-1) instanceof Map)) throw this.#error("attributes for something else than a dict");
  }

  stop(): void {
    this.#done = true;
  }
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= longestName;
}
