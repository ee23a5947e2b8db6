import { expect } from "chai";
import { AdamW, devices, openDevice } from "../lib/index.js";
import { temporaryFolder } from "./temporary.js";

const cuda = devices().find(({ kind }) => kind === "cuda")!;
const parameters = (...values: number[]) => [{ name: "w", value: Float32Array.from(values) }];

describe("A GPU", () => {
  before(function () {
    if (!cuda.available) {
      console.log(`${cuda.name}: skipped: ${cuda.reason}`);
      this.skip();
    }
  });

  it("is cuda:0, the first device of the list, and found by its kind", () => {
    expect(devices()[0]!.name).to.equal("cuda:0");
    expect(new AdamW({}, { device: "cuda" }).build(parameters(1)).device).to.equal("cuda:0");
  });

  it("is not taken by default for arrays of the host", () => {
    expect(new AdamW().build(parameters(1)).device).to.match(/^cpu:/);
  });

  it("reads values written into a parameter's array when the array is bound anew", () => {
    const list = parameters(1, 2, 3);
    const optimizer = new AdamW({ learningRate: 0, weightDecay: 0 }, { device: "cuda" }).build(list);
    list[0]!.value.set([4, 5, 6]);
    optimizer.rebind([{ name: "w", value: list[0]!.value }]);
    optimizer.apply([Float32Array.of(1, 1, 1)]);
    expect([...list[0]!.value]).to.deep.equal([4, 5, 6]);
  });

  it("leaves gradients alone when the step that would zero them throws, and zeroes them otherwise", () => {
    const optimizer = new AdamW({ nonFinite: "throw", zeroGradients: true }, { device: "cuda" }).build(
      parameters(1, 2),
    );
    const gradient = Float32Array.of(1, Number.NaN);
    optimizer.apply([gradient]);
    expect(() => optimizer.synchronize()).to.throw("not finite");
    expect([...gradient]).to.deep.equal([1, Number.NaN]);
    gradient[1] = 1;
    optimizer.apply([gradient]);
    optimizer.synchronize();
    expect([...gradient]).to.deep.equal([0, 0]);
  });

  it("goes on from a CPU's checkpoint, and a CPU from its, with the same bits", async () => {
    const checkpoint = temporaryFolder()("checkpoint");
    const gradient = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
    const train = async (names: readonly string[]) => {
      let list = parameters(...gradient.map((x) => x * 3));
      for (const [i, device] of names.entries()) {
        const optimizer = new AdamW({ useEma: true, amsgrad: true, globalClipnorm: 1 }, { device });
        optimizer.build(list);
        if (i > 0) await optimizer.load(checkpoint);
        for (let step = 0; step < 3; step += 1) await optimizer.applyAsync([gradient]);
        await optimizer.save(checkpoint, { parameters: true });
        list = i + 1 < names.length ? parameters(...new Array(1000).fill(0)) : list;
        optimizer.dispose();
      }
      return [...list[0]!.value];
    };
    const expected = await train(["cpu", "cpu", "cpu"]);
    expect(await train(["cuda", "cpu", "cuda"])).to.deep.equal(expected);
    expect(await train(["cpu", "cuda", "cuda"])).to.deep.equal(expected);
  });

  it("saves and loads parameters that are in its own memory", async () => {
    const checkpoint = temporaryFolder()("checkpoint");
    const device = openDevice("cuda");
    const value = device.allocate("float32", 3).write(Float32Array.of(1, 2, 3));
    const optimizer = new AdamW().build([{ name: "w", value }]);
    optimizer.apply([Float32Array.of(1, -1, 1)]);
    const trained = value.read();
    await optimizer.save(checkpoint, { parameters: true });
    value.fill(0);
    await optimizer.load(checkpoint);
    expect(value.read()).to.deep.equal(trained);
  });

  it("steps off the event loop, and refuses to be used meanwhile", async () => {
    const optimizer = new AdamW({}, { device: "cuda" }).build(parameters(1, 2, 3));
    const step = optimizer.applyAsync([Float32Array.of(1, 2, 3)]);
    expect(() => optimizer.apply([Float32Array.of(1, 2, 3)])).to.throw("has not finished");
    expect((await step).iteration).to.equal(1);
  });
});
