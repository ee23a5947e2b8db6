import { expect } from "chai";
import type { Tensor } from "../../lib/state/checkpoint.js";
import { Checksum } from "../../lib/state/checksum.js";
import { elementCount } from "../../lib/state/dtypes.js";
import { memoryTensor } from "../../lib/state/optimizer-state.js";
import { StridedReader } from "../../lib/state/strided-reader.js";
import { Dice } from "./mutations.js";
import { rejectsLater } from "./rejects-later.js";

const dtypes: Readonly<Record<number, string>> = { 1: "U8", 2: "BF16", 4: "F32", 8: "F64" };

const noise = Uint8Array.from({ length: 251 }, (_, i) => (i * 79 + 13) % 251);

interface Stored {
  readonly source: Tensor;
  readonly strides: readonly number[];
  readonly bytes: number;
}

/** A tensor whose dimensions are stored in this order, the outermost first; its bytes are noise. */
function stored(shape: readonly number[], order: readonly number[], bytes: number): Stored & { memory: Buffer } {
  const strides = shape.map(() => 0);
  order.forEach((dimension, i) => {
    strides[dimension] = elementCount(order.slice(i + 1).map((inner) => shape[inner] as number));
  });
  const memory = Buffer.alloc(elementCount(shape) * bytes, noise);
  return { source: memoryTensor("w.exp_avg", dtypes[bytes] as string, shape, memory), strides, bytes, memory };
}

/** The bytes of element `at` in row-major order. */
function expectedAt({ source: { shape }, strides, bytes, memory }: ReturnType<typeof stored>, at: number): Buffer {
  let [rest, place] = [at, 0];
  for (let i = shape.length - 1; i >= 0; i -= 1) {
    place += (rest % (shape[i] as number)) * (strides[i] as number);
    rest = Math.floor(rest / (shape[i] as number));
  }
  return memory.subarray(place * bytes, (place + 1) * bytes);
}

describe("a tensor stored in another order of its dimensions", () => {
  const shuffled = (count: number, dice: Dice) => {
    const left = Array.from({ length: count }, (_, i) => i);
    return left.map((_, i) => left.splice(dice.below(count - i), 1)[0] as number);
  };

  it("is read in row-major order, whatever its order, type and the ranges asked for", async () => {
    const reader = new StridedReader("memory");
    for (let run = 0; run < 300; run += 1) {
      const dice = new Dice(run);
      const shape = Array.from({ length: 1 + dice.below(5) }, () => 1 + dice.below(6));
      const tensor = stored(shape, shuffled(shape.length, dice), dice.one([1, 2, 4, 8]));
      const elements = Array.from({ length: elementCount(shape) }, (_, at) => expectedAt(tensor, at));
      const expected = Buffer.concat(elements);
      const start = dice.below(expected.length);
      const into = new Uint8Array(dice.below(expected.length - start + 1));
      await reader.read(tensor, start, into);
      expect(Buffer.from(into).equals(expected.subarray(start, start + into.length)), `run ${run}`).to.equal(true);
    }
  });

  it("is read across blocks: long rows, short ones, channels last", async () => {
    const cases: [number[], number[], number][] = [
      [[3, 5_000_000], [1, 0], 4],
      [[5_000_000, 3], [1, 0], 4],
      [[2, 2, 3_000_000], [2, 0, 1], 2],
      [[700, 64, 10, 12], [0, 2, 3, 1], 4],
    ];
    const reader = new StridedReader("memory");
    for (const [shape, order, bytes] of cases) {
      const tensor = stored(shape, order, bytes);
      const into = new Uint8Array(tensor.memory.length);
      const piece = 2 ** 22;
      const pieces = Array.from({ length: Math.ceil(into.length / piece) }, (_, i) => i * piece);
      await Promise.all(pieces.map((start) => reader.read(tensor, start, into.subarray(start, start + piece))));
      const read = Buffer.from(into.buffer);
      for (let at = 0; at < read.length / bytes; at += 997) {
        const element = read.subarray(at * bytes, (at + 1) * bytes);
        if (!element.equals(expectedAt(tensor, at))) expect.fail(`[${shape.join(", ")}]: element ${at} is another one`);
      }
    }
  });

  it("has the checksum of its bytes as they are stored", async () => {
    const { memory, source, ...rest } = stored([5, 7], [1, 0], 4);
    const checksum = new Checksum();
    await checksum.update(memory);
    const checked = (checksum: string) => ({ ...rest, source: { ...source, checksum } });
    const into = new Uint8Array(memory.length);
    await new StridedReader("memory").read(checked(checksum.text), 0, into);
    await rejectsLater("CHECKPOINT", new StridedReader("memory").read(checked("00000000"), 0, into), "checksum");
  });
});
