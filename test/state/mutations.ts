/** Damage to files, the same in every run: the seed and the number of the case make it. */

/** Small, fast, good enough to choose damage: xorshift32. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0 || 1;
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state % limit;
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

const phrases = [
  '"__proto__":{"a":1},',
  '"constructor":1,',
  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
  "9223372036854775808",
  "18446744073709551615",
  "1e999",
  "-1",
  '"\\ud800"',
  "null",
  "{}",
  "\0",
  "../../../etc/passwd",
];

type Mutation = (bytes: Buffer, dice: Dice) => Buffer;

const mutations: readonly Mutation[] = [
  function flipBit(bytes, dice) {
    const at = dice.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << dice.below(8));
    return bytes;
  },
  function replaceByte(bytes, dice) {
    bytes[dice.below(bytes.length)] = dice.below(256);
    return bytes;
  },
  function replaceLength(bytes, dice) {
    const values = [0n, 1n, 7n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, BigInt(bytes.length)];
    const at = bytes.length < 8 ? 0 : dice.one([0, dice.below(bytes.length - 7)]);
    if (bytes.length >= 8) bytes.writeBigUInt64LE(dice.one(values), at);
    return bytes;
  },
  function truncate(bytes, dice) {
    return bytes.subarray(0, dice.below(bytes.length));
  },
  function extend(bytes, dice) {
    return Buffer.concat([bytes, Buffer.alloc(1 + dice.below(100), dice.below(256))]);
  },
  function insert(bytes, dice) {
    const at = dice.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(dice.one(phrases)), bytes.subarray(at)]);
  },
  function remove(bytes, dice) {
    const at = dice.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.below(30))]);
  },
  function repeat(bytes, dice) {
    const from = dice.below(bytes.length);
    const piece = bytes.subarray(from, from + 1 + dice.below(60));
    const at = dice.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  },
  function digits(bytes, dice) {
    const at = bytes.findIndex((byte, i) => i >= dice.below(bytes.length) && byte >= 0x30 && byte <= 0x39);
    if (at >= 0) bytes[at] = 0x30 + dice.below(10);
    return bytes;
  },
];

/** A damaged copy, by one or two mutations; it may happen to be equal. */
export function damage(good: Buffer, dice: Dice): Buffer {
  let bytes: Buffer = Buffer.from(good);
  for (let n = 1 + dice.below(2); n > 0 && bytes.length > 0; n -= 1) bytes = dice.one(mutations)(bytes, dice);
  return bytes;
}

/** How many damaged files each fuzz test reads; FUSED_ADAMW_FUZZ multiplies it for a longer run. */
export function fuzzRuns(usual: number): number {
  return Math.round(usual * Number(process.env.FUSED_ADAMW_FUZZ ?? 1));
}
