import { inspect } from "node:util";
import { expect } from "chai";
import { AdamW, CheckpointManager, DeviceBuffer, LossScaleOptimizer, openDevice, schedules } from "../lib/index.js";
import { temporaryFolder } from "./temporary.js";

const cosine = new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 10 });
const parameters = () => [
  { name: "dense/kernel", shape: [2, 3], value: new Float32Array(6) },
  { name: "dense/bias", value: new Float32Array(3) },
];
const gradients = [new Float32Array(6), new Float32Array(3)];
const line = (value: unknown) => inspect(value, { breakLength: Number.POSITIVE_INFINITY, compact: 4 });

describe("what console.log shows", () => {
  it("of an optimizer: its device, sizes, iterations, learning rate, and the options that are not the default", () => {
    const optimizer = new AdamW({ globalClipnorm: 1, name: "head", groups: [] }, { device: "cpu:scalar" });
    expect(line(optimizer)).to.equal("AdamW { built: false, learningRate: 0.001, name: 'head', globalClipnorm: 1 }");
    optimizer.build(parameters()).apply(gradients);
    optimizer.learningRate = 0.5;
    optimizer.excludeFromWeightDecay({ names: ["bias"] });
    const exclusions = "excludeFromWeightDecay: { names: [ 'bias' ], parameters: [] }";
    expect(line(optimizer)).to.equal(
      `AdamW { device: 'cpu:scalar', parameters: 2, elements: 9, iterations: 1, learningRate: 0.5, name: 'head', globalClipnorm: 1, ${exclusions} }`,
    );
    optimizer.dispose();
    expect(line(optimizer)).to.match(/^AdamW \{ disposed: true, learningRate: 0.5, /);
  });

  it("of an optimizer while it steps, and of one that was restored", async () => {
    const optimizer = new AdamW({}, { device: "cpu:scalar" }).build(parameters());
    const step = optimizer.applyAsync(gradients);
    expect(line(optimizer)).to.match(/iterations: [01],/);
    await step;
    const restored = new AdamW({}, { device: "cpu:scalar" }).build(parameters());
    restored.setWeights(optimizer.variables);
    expect(line(restored)).to.equal(line(optimizer)).and.to.include("iterations: 1,");
  });

  it("of a loss scaler: the optimizer inside", () => {
    const optimizer = new LossScaleOptimizer(new AdamW({ learningRate: cosine }), { initialScale: 4 });
    expect(line(optimizer)).to.equal(
      "LossScaleOptimizer { initialScale: 4, innerOptimizer: AdamW { built: false, learningRate: CosineDecay { initialLearningRate: 0.1, decaySteps: 10 } } }",
    );
  });

  it("of schedules: what was given", () => {
    const join = new schedules.Join({ schedules: [cosine, cosine], boundaries: [5], name: "two" });
    const shown = "CosineDecay { initialLearningRate: 0.1, decaySteps: 10 }";
    expect(line(join)).to.equal(`Join { schedules: [ ${shown}, ${shown} ], boundaries: [ 5 ], name: 'two' }`);
  });

  it("of a buffer: where it is and how long", () => {
    const buffer = openDevice("cpu:scalar").allocate("float32", 3);
    expect(line(buffer)).to.equal("DeviceBuffer { device: 'cpu:scalar', dtype: 'float32', length: 3 }");
    buffer.dispose();
    expect(line(buffer)).to.equal("DeviceBuffer { device: 'cpu:scalar', dtype: 'float32', length: 3, disposed: true }");
  });

  it("of a manager of checkpoints: its folder, its options, and the last save", async () => {
    const folder = temporaryFolder()();
    const optimizer = new AdamW({}, { device: "cpu:scalar" }).build(parameters());
    const plain = new CheckpointManager(optimizer, { folder });
    expect(line(plain)).to.equal(`CheckpointManager { folder: '${folder}' }`);
    const options = { folder, everySteps: 2, keep: 5, save: { shardBytes: 100, metadata: { run: "a" } } };
    const manager = new CheckpointManager(optimizer, options);
    const shown = `folder: '${folder}', everySteps: 2, keep: 5, save: { shardBytes: 100, metadata: { run: 'a' } }`;
    expect(line(manager)).to.equal(`CheckpointManager { ${shown} }`);
    const saving = manager.save();
    expect(line(manager)).to.equal(`CheckpointManager { ${shown}, saving: true }`);
    const { path } = await saving;
    expect(line(manager)).to.include(`CheckpointManager { ${shown}, lastSave: { path: '${path}', bytes: `);
  });

  it("of classes that extend them, deep in other objects, and of broken ones", () => {
    class Mine extends AdamW {}
    expect(line(new Mine())).to.match(/^Mine \{ built: false/);
    expect(inspect({ a: { b: { c: new Mine() } } })).to.include("[Mine]");
    for (const type of [AdamW, CheckpointManager, DeviceBuffer, LossScaleOptimizer, schedules.CosineDecay]) {
      expect(line(Object.create(type.prototype))).to.equal(`${type.name} {}`);
    }
  });
});
