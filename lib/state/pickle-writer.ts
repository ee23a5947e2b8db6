/** The part of Python's pickle (protocol 2) that PyTorch reads state_dicts from with `weights_only=True`. */

/** A Python tuple; arrays are lists. */
export class PickleTuple {
  readonly items: readonly unknown[];

  constructor(...items: unknown[]) {
    this.items = items;
  }
}

/** A Python float, whatever its value; a plain number is an int. */
export class PickleFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** `module.name`, by the line that pickle has for it. */
export class PickleName {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }
}

/** `callee(*args)` */
export class PickleApply {
  readonly callee: PickleName;
  readonly args: PickleTuple;

  constructor(callee: PickleName, ...args: unknown[]) {
    this.callee = callee;
    this.args = new PickleTuple(...args);
  }
}

/** What the file outside of the pickle has under an id. */
export class PicklePersistent {
  readonly id: PickleTuple;

  constructor(...id: unknown[]) {
    this.id = new PickleTuple(...id);
  }
}

/** Dicts are Maps; strings, booleans, null, numbers and arrays are themselves. */
export function writePickle(value: unknown): Buffer {
  const parts: Buffer[] = [Buffer.from([0x80, 2])];
  const put = (...bytes: number[]) => parts.push(Buffer.from(bytes));
  const code = (letter: string) => parts.push(Buffer.from(letter, "latin1"));
  const items = (open: string, list: readonly unknown[], close: string) => {
    code(open);
    for (const item of list) write(item);
    code(close);
  };
  function write(value: unknown): void {
    if (value === null) code("N");
    else if (typeof value === "boolean") put(value ? 0x88 : 0x89);
    else if (typeof value === "number") writeInteger(value);
    else if (typeof value === "string") writeText(value);
    else if (Array.isArray(value)) items("](", value, "e");
    else if (value instanceof Map) items("}(", [...value].flat(), "u");
    else if (value instanceof PickleTuple) items("(", value.items, "t");
    else if (value instanceof PickleFloat) writeFloat(value.value);
    else if (value instanceof PickleName) code(`c${value.module}\n${value.name}\n`);
    else if (value instanceof PickleApply) items("", [value.callee, value.args], "R");
    else if (value instanceof PicklePersistent) items("", [value.id], "Q");
    else throw new TypeError(`${String(value)} has no pickle`);
  }
  function writeInteger(value: number): void {
    const int32 = Buffer.alloc(5, "J");
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
      int32.writeInt32LE(value, 1);
      parts.push(int32);
      return;
    }
    const int64 = Buffer.alloc(10);
    int64.writeUInt16LE(0x088a, 0);
    int64.writeBigInt64LE(BigInt(value), 2);
    parts.push(int64);
  }
  function writeText(value: string): void {
    const text = Buffer.from(value);
    const head = Buffer.alloc(5, "X");
    head.writeUInt32LE(text.length, 1);
    parts.push(head, text);
  }
  function writeFloat(value: number): void {
    const float = Buffer.alloc(9, "G");
    float.writeDoubleBE(value, 1);
    parts.push(float);
  }
  write(value);
  code(".");
  return Buffer.concat(parts);
}
