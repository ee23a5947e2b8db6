import { expect } from "chai";
import { AdamW, type AdamWOptions, openDevice } from "../lib/index.js";
import { pair } from "./optimizers.js";
import { rejectsWith } from "./rejects.js";
import { resizable } from "./resizable.js";

const inputs = Array.from({ length: 40 }, (_, i) => Math.fround(Math.sin(i + 1)));
const options: AdamWOptions = { weightDecay: 0.1, learningRate: 0.01, globalClipnorm: 1, zeroGradients: true };

/** What three steps over these arrays make of the same numbers. */
function train(value: Float32Array, gradient: Float32Array): number[] {
  const optimizer = new AdamW(options).build([{ name: "a", value, gradient }]);
  value.set(inputs.slice(0, value.length));
  for (let step = 1; step <= 3; step += 1) {
    gradient.set(inputs.slice(0, gradient.length).map((x) => x * step));
    optimizer.step();
  }
  expect([...gradient]).to.deep.equal(inputs.slice(0, gradient.length).fill(0));
  optimizer.dispose();
  return [...value];
}

/** The lengths that fit a memory, and ones around the width of vectors. */
const lengths = [0, 1, 3, 16, 17, 40];
const expected = new Map(lengths.map((n) => [n, train(new Float32Array(n), new Float32Array(n))]));

/** Places for two arrays of up to 40 elements, at bytes 4 and 256. */
type Place = (offset: number, length: number) => Float32Array;

const places: Record<string, () => Place> = {
  "an ArrayBuffer": () => over(new ArrayBuffer(512)),
  "a SharedArrayBuffer": () => over(new SharedArrayBuffer(512)),
  "a resizable ArrayBuffer": () => over(resizable(512, 1024)),
  "WebAssembly memory": () => over(new WebAssembly.Memory({ initial: 1 }).buffer),
  "shared WebAssembly memory": () => over(new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }).buffer),
  "the garbage-collected heap": () => (_, length) => new Float32Array(length),
  "Node's pool of buffers": () => over(Buffer.from("x").buffer),
};

function over(buffer: ArrayBufferLike): Place {
  return (offset, length) => new Float32Array(buffer, offset, length);
}

/** Of the web's types only this one is needed. */
declare const WebAssembly: {
  Memory: new (options: {
    initial: number;
    maximum?: number;
    shared?: boolean;
  }) => {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  };
};

describe("memory", () => {
  for (const [name, make] of Object.entries(places)) {
    it(`of parameters and gradients may be ${name}, at any offset and of any length`, () => {
      const place = make();
      for (const length of lengths) {
        expect(train(place(4, length), place(256, length)), `${length}`).to.deep.equal(expected.get(length));
      }
    });
  }

  it("around a parameter is not touched", () => {
    const all = new Float32Array(64).fill(7);
    train(all.subarray(11, 28), new Float32Array(17));
    expect(all.filter((x, i) => (i < 11 || i >= 28) && x !== 7)).to.have.length(0);
  });

  it("of tiny arrays, which V8 keeps on its moving heap, is found again after garbage collection", () => {
    const values = Array.from({ length: 64 }, (_, i) => Float32Array.from({ length: i % 16 }, () => 1));
    const gradients = values.map(({ length }) => new Float32Array(length).fill(1));
    const optimizer = new AdamW({ learningRate: 0.25, weightDecay: 0, epsilon: 0 }).build(
      values.map((value, i) => ({ name: `p${i}`, value, gradient: gradients[i] ?? null })),
    );
    for (let step = 0; step < 4; step += 1) {
      optimizer.step();
      const garbage = Array.from({ length: 10_000 }, (_, i) => new Float32Array(i % 16));
      global.gc?.();
      expect(garbage).to.have.length(10_000);
    }
    for (const value of values) {
      for (const x of value) expect(x).to.be.closeTo(0, 1e-6);
    }
  });

  it("of gradients passed to a step is kept while they are bound, and read anew when they come again", () => {
    const { optimizer, bias } = pair({ weightDecay: 0 });
    const gradient = Float32Array.of(1, -1);
    optimizer.apply([null, gradient]);
    const first = [...bias];
    gradient.fill(0);
    global.gc?.();
    optimizer.apply([null, gradient]);
    expect([...bias]).not.to.deep.equal(first);
  });
});

describe("memory that is gone", () => {
  const losses: Record<string, (buffer: ArrayBuffer) => void> = {
    "structuredClone()": (buffer) => structuredClone(buffer, { transfer: [buffer] }),
    "postMessage()": (buffer) => {
      const { port1 } = new MessageChannel();
      port1.postMessage(buffer, [buffer]);
      port1.close();
    },
    // From Node 21 on.
    ...("transfer" in ArrayBuffer.prototype && {
      "ArrayBuffer.prototype.transfer()": (buffer: ArrayBuffer) => Reflect.get(buffer, "transfer").call(buffer),
    }),
  };
  for (const [name, lose] of Object.entries(losses)) {
    it(`by ${name} is an error that says how to go on`, () => {
      for (const lost of ["kernel", "kernelGradient"] as const) {
        const built = pair({ useEma: true });
        const { optimizer, bias } = built;
        optimizer.step();
        const before = [...bias];
        lose(built[lost].buffer as ArrayBuffer);
        const what = lost === "kernel" ? "the value of dense/kernel" : "the gradient of dense/kernel";
        rejectsWith("DETACHED", () => optimizer.step(), what, "rebind()");
        rejectsWith("DETACHED", () => optimizer.apply(built.gradients), what);
        if (lost === "kernel") {
          rejectsWith("DETACHED", () => optimizer.swapEma(), what);
          rejectsWith("DETACHED", () => optimizer.finalizeVariableValues(), what);
        }
        expect(optimizer.iterations).to.equal(1);
        expect([...bias]).to.deep.equal(before);
        const key = lost === "kernel" ? "value" : "gradient";
        rejectsWith("DETACHED", () => optimizer.rebind([{ name: "dense/kernel", [key]: built[lost] }]), what);
        optimizer.rebind([
          { name: "dense/kernel", value: new Float32Array(4) },
          { name: "dense/kernel", gradient: new Float32Array(4) },
        ]);
        expect(optimizer.step()!.iteration).to.equal(2);
      }
    });
  }

  it("is found in what has taken the place of memory of another kind", () => {
    const device = openDevice("cpu");
    const array = () => new Float32Array(2);
    const gone = {
      DISPOSED: () => {
        const buffer = device.allocate("float32", 2);
        return { memory: buffer, lose: () => buffer.dispose() };
      },
      DETACHED: () => {
        const memory = array();
        return { memory, lose: () => structuredClone(memory, { transfer: [memory.buffer] }) };
      },
    };
    for (const key of ["value", "gradient"] as const) {
      for (const first of [array(), device.allocate("float32", 2)]) {
        for (const code of ["DISPOSED", "DETACHED"] as const) {
          const other = { value: array(), gradient: array() };
          const optimizer = new AdamW().build([{ name: "a", ...other, [key]: first }]);
          optimizer.step();
          const { memory, lose } = gone[code]();
          optimizer.rebind([{ name: "a", [key]: memory }]);
          optimizer.step();
          lose();
          rejectsWith(code, () => optimizer.step(), `the ${key} of a`);
          expect(optimizer.iterations).to.equal(2);
        }
      }
    }
  });

  it("is missed by code that is compiled for resizable arrays, too", () => {
    const make = (value: Float32Array, gradient: Float32Array) => new AdamW().build([{ name: "a", value, gradient }]);
    const [growing, fixed] = [
      make(new Float32Array(resizable(16, 64)), new Float32Array(resizable(16, 64))),
      make(new Float32Array(4), new Float32Array(4)),
    ];
    const gradient = new Float32Array(4);
    for (let step = 0; step < 20_000; step += 1) {
      for (const optimizer of [growing, fixed]) {
        optimizer.step();
        optimizer.apply([gradient]);
        optimizer.apply([new Float32Array(4)]);
      }
      growing.apply([new Float32Array(resizable(16, 64))]);
    }
    for (const lost of ["value", "gradient"] as const) {
      const memory = { value: new Float32Array(4), gradient: new Float32Array(4) };
      const optimizer = make(memory.value, memory.gradient);
      structuredClone(memory[lost], { transfer: [memory[lost].buffer] });
      rejectsWith("DETACHED", () => optimizer.step(), `the ${lost} of a`);
      rejectsWith("DETACHED", () => optimizer.apply([memory.gradient]), `the ${lost} of a`);
    }
    structuredClone(gradient, { transfer: [gradient.buffer] });
    rejectsWith("DETACHED", () => fixed.apply([gradient]), "the gradient of a");
  });

  it("is an error at build", () => {
    const value = new Float32Array(4);
    structuredClone(value, { transfer: [value.buffer] });
    rejectsWith("DETACHED", () => new AdamW().build([{ name: "a", value }]), "the value of a");
  });

  it("since the learning rate's function has taken it is missed, too", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const value = new Float32Array(memory.buffer, 0, 8);
    const learningRate = () => memory.grow(1) / 1000;
    const optimizer = new AdamW({ learningRate }).build([{ name: "a", value }]);
    rejectsWith("DETACHED", () => optimizer.apply([new Float32Array(8)]), "the value of a");
    expect(optimizer.iterations).to.equal(0);
  });

  it("because a WebAssembly memory grew comes back by rebinding, one array at a time too", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const views = () => ({ value: over(memory.buffer)(64, 4), gradient: over(memory.buffer)(1024, 4) });
    const { value, gradient } = views();
    const optimizer = new AdamW({ weightDecay: 0 }).build([{ name: "a", value, gradient }]);
    gradient.fill(1);
    optimizer.step();
    memory.grow(100);
    rejectsWith("DETACHED", () => optimizer.step(), "WebAssembly");
    const grown = views();
    const before = [...grown.value];
    optimizer.rebind([{ name: "a", gradient: grown.gradient }]);
    rejectsWith("DETACHED", () => optimizer.step(), "the value of a");
    optimizer.rebind([{ name: "a", value: grown.value }]);
    expect(optimizer.step()!.iteration).to.equal(2);
    expect(grown.value[0]).to.be.below(before[0] as number);
  });

  it("because a resizable ArrayBuffer shrank is missed before anything is read, and used again when it is back", () => {
    const buffer = resizable(64, 128);
    const fixed = new Float32Array(buffer, 32, 8);
    const optimizer = new AdamW().build([{ name: "a", value: fixed, gradient: new Float32Array(8) }]);
    const tracking = new Float32Array(buffer);
    buffer.resize(48);
    rejectsWith("LENGTH_MISMATCH", () => optimizer.step(), "Expected 8", "the value of a", "received 0");
    const gradients = new AdamW().build([{ name: "a", value: new Float32Array(16) }]);
    rejectsWith("LENGTH_MISMATCH", () => gradients.apply([tracking]), "Expected 16", "received 12");
    buffer.resize(64);
    expect(optimizer.step()!.iteration).to.equal(1);
    expect(gradients.apply([tracking])!.iteration).to.equal(1);
  });
});
