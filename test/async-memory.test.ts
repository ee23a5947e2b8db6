import { expect } from "chai";
import { AdamW, type DeviceBuffer, openDevice } from "../lib/index.js";
import { native } from "../lib/native.js";
import { rejectsLater, rejectsWith } from "./rejects.js";
import { resizable } from "./resizable.js";

describe("memory that may shrink under another thread", () => {
  const fixed = () => Float32Array.of(1, 2);
  const shrinking = () => new Float32Array(resizable(8, 16)).fill(1);
  const growing = () => {
    const buffer: SharedArrayBuffer = Reflect.construct(SharedArrayBuffer, [8, { maxByteLength: 16 }]);
    return new Float32Array(buffer).fill(1);
  };

  it("is refused by asynchronous steps before anything changes, and taken by the others", async () => {
    for (const [value, gradient, what] of [
      [shrinking(), fixed(), "the value of a"],
      [fixed(), shrinking(), "the gradient of a"],
    ] as const) {
      const optimizer = new AdamW().build([{ name: "a", value, gradient }]);
      const passed = what.includes("value") ? fixed() : shrinking();
      const before = [...value];
      await rejectsLater("NOT_SHAREABLE", optimizer.applyAsync([passed]), what, "resizable");
      await rejectsLater("NOT_SHAREABLE", optimizer.applyAsync({ a: passed }), what);
      await rejectsLater("NOT_SHAREABLE", optimizer.stepAsync(), what);
      expect([...value]).to.deep.equal(before);
      expect(optimizer.iterations).to.equal(0);
      optimizer.apply([passed]);
      await rejectsLater("NOT_SHAREABLE", optimizer.applyAsync([passed]), what);
      expect(optimizer.step()!.iteration).to.equal(2);
    }
  });

  it("is not read into, with the event loop free", async () => {
    const buffer = openDevice("cpu").allocate("float32", 2).fill(3);
    await rejectsLater("NOT_SHAREABLE", buffer.readAsync(shrinking()), "the array");
    expect([...buffer.read(shrinking())]).to.deep.equal([3, 3]);
    expect([...(await buffer.readAsync(growing()))]).to.deep.equal([3, 3]);
  });

  it("is not shared memory, which can only grow", async () => {
    const optimizer = new AdamW().build([{ name: "a", value: growing(), gradient: growing() }]);
    expect((await optimizer.stepAsync()).iteration).to.equal(1);
    expect((await optimizer.applyAsync([growing()])).iteration).to.equal(2);
  });
});

describe("Buffers that are disposed of while an asynchronous step works on them", () => {
  const device = openDevice("cpu");
  const length = 1024;
  const make = () => device.allocate("float32", length).fill(0.5);
  const ends = (optimizer: AdamW) => optimizer.variables.slice(-2).map(({ value }) => [value[0], value[length - 1]]);
  const host = new AdamW().build([
    { name: "a", value: new Float32Array(length), gradient: new Float32Array(length).fill(0.5) },
  ]);
  host.step();

  const addon = native as { Buffer: typeof native.Buffer };
  const { Buffer } = native;
  let freed = 0;
  before(() => {
    addon.Buffer = class extends Buffer {
      override dispose() {
        freed += 1;
        super.dispose();
      }
    };
  });
  beforeEach(() => {
    freed = 0;
  });
  after(() => {
    addon.Buffer = Buffer;
  });

  async function lose(buffer: DeviceBuffer, step: () => Promise<unknown>) {
    const done = step();
    buffer.dispose();
    rejectsWith("DISPOSED", () => buffer.pointer);
    expect(freed, "while the step runs").to.equal(0);
    await done.catch(() => undefined);
    expect(freed, "afterwards").to.equal(1);
    await rejectsLater("DISPOSED", step());
  }

  for (const [name, part] of Object.entries({
    "": (buffer: DeviceBuffer) => buffer,
    ", and a part of which is used": (buffer: DeviceBuffer) => buffer.slice(0),
  })) {
    it(`are freed after it, as gradients of a call${name}`, async () => {
      const gradient = make();
      const optimizer = new AdamW().build([{ name: "a", value: make() }]);
      await lose(gradient, () => optimizer.applyAsync([part(gradient)]));
      expect(ends(optimizer)).to.deep.equal(ends(host));
    });

    it(`are freed after it, as gradients that are bound${name}`, async () => {
      const gradient = make();
      const optimizer = new AdamW().build([{ name: "a", value: make(), gradient: part(gradient) }]);
      await lose(gradient, () => optimizer.stepAsync());
      expect(ends(optimizer)).to.deep.equal(ends(host));
    });

    it(`are freed after it, as parameters${name}`, async () => {
      const value = make();
      const optimizer = new AdamW().build([{ name: "a", value: part(value), gradient: make() }]);
      await lose(value, () => optimizer.stepAsync());
      expect(ends(optimizer)).to.deep.equal(ends(host));
    });
  }

  it("are freed after one that fails", async () => {
    const gradient = make().fill(Number.NaN);
    const optimizer = new AdamW({ nonFinite: "throw" }).build([{ name: "a", value: make(), gradient }]);
    await lose(gradient, () => optimizer.stepAsync());
    expect(optimizer.iterations).to.equal(0);
  });

  it("are freed after the last of several", async () => {
    const gradient = make();
    const optimizers = [1, 2].map(() => new AdamW().build([{ name: "a", value: make(), gradient }]));
    const all = optimizers.map((optimizer) => optimizer.stepAsync());
    gradient.dispose();
    expect(freed).to.equal(0);
    await Promise.all(all);
    expect(freed).to.equal(1);
    for (const optimizer of optimizers) expect(ends(optimizer)).to.deep.equal(ends(host));
  });
});
