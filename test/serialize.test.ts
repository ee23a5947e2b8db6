import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import { kerasJson } from "../lib/keras-json.js";
import { LossScaleOptimizer } from "../lib/loss-scale-optimizer.js";
import { CosineDecay, PolynomialDecay, WarmupLinear } from "../lib/schedules/index.js";
import { deserialize, serialize } from "../lib/serialize.js";
import { loadGolden } from "./golden/golden.js";
import { rejects } from "./rejects.js";

/** What was written, read back from a file. */
const stored = (value: unknown) => JSON.parse(JSON.stringify(value));

describe("serialize and deserialize", () => {
  for (const { name, backend, floatx, serialized, serializedJson } of loadGolden("configs").cases) {
    // Ours writes every learning rate as the float32 that Keras' variable is by default.
    if (floatx === "float64") continue;
    it(`read what Keras wrote and write Keras' public form: ${name} (${backend})`, () => {
      const rate = serialized.config.learning_rate as { class_name?: string; config?: string } | undefined;
      const isFunction = rate?.class_name === "function";
      const fn = Object.defineProperty(() => 1, "name", { value: rate?.config });
      const customObjects = isFunction ? { [rate?.config as string]: fn } : {};
      const before = structuredClone(serialized);
      const optimizer = deserialize(serialized, { customObjects }) as AdamW;
      expect(serialized).to.deep.equal(before);
      expect(optimizer).to.be.instanceOf(serialized.class_name === "AdamW" ? AdamW : LossScaleOptimizer);
      expect(stored(serialize(optimizer))).to.deep.equal(publicForm(serialized));
      // Given integers where it documents floats, Keras writes integers back, which JavaScript cannot tell apart.
      if (backend === "torch" || name === "learning rate 1 and integers") return;
      expect(kerasJson(serialize(optimizer), [",", ":"]), "byte for byte").to.equal(serializedJson);
    });
  }

  it("write schedules as Keras does, and those Keras lacks under a name a Python class can register", () => {
    expect(serialize(new PolynomialDecay({ initialLearningRate: 1, decaySteps: 10 }))).to.deep.equal({
      module: "keras.optimizers.schedules",
      class_name: "PolynomialDecay",
      config: {
        initial_learning_rate: 1,
        decay_steps: 10,
        end_learning_rate: 0.0001,
        power: 1,
        cycle: false,
        name: "PolynomialDecay",
      },
      registered_name: null,
    });
    expect(serialize(new WarmupLinear({ warmupTarget: 1, warmupSteps: 1, decaySteps: 1 }))).to.include({
      module: "fused_adamw.schedules",
      class_name: "WarmupLinear",
      registered_name: "fused_adamw>WarmupLinear",
    });
  });

  it("read schedules by themselves, whatever the case of the class name", () => {
    const json = stored(serialize(new CosineDecay({ initialLearningRate: 1, decaySteps: 10 })));
    expect(deserialize(json)).to.be.instanceOf(CosineDecay);
    expect(deserialize({ ...json, class_name: "COSINEDECAY" })).to.be.instanceOf(CosineDecay);
    const { class_name, config } = json;
    expect(deserialize({ class_name, config }), "Keras 2").to.be.instanceOf(CosineDecay);
  });

  it("a class that extends one of ours is a custom one, even under the same name", () => {
    const Ours = CosineDecay;
    for (const Mine of [class MyDecay extends Ours {}, class CosineDecay extends Ours {}]) {
      const json = stored(serialize(new Mine({ initialLearningRate: 1, decaySteps: 10 })));
      expect(json).to.include({ module: null, class_name: Mine.name, registered_name: Mine.name });
      rejects(() => deserialize(json), "or a name in customObjects", Mine.name);
      expect(deserialize(json, { customObjects: { [Mine.name]: Mine } })).to.be.instanceOf(Mine);
    }
  });

  it("an optimizer that extends ours comes back as what it was", () => {
    class MyAdamW extends AdamW {}
    class MyScaler extends LossScaleOptimizer {}
    const customObjects = { MyAdamW, MyScaler };
    const read = deserialize(stored(serialize(new MyAdamW({ beta1: 0.8 }))), { customObjects }) as AdamW;
    expect(read).to.be.instanceOf(MyAdamW);
    expect(read.getConfig().beta_1).to.equal(0.8);
    const scaler = stored(serialize(new MyScaler(new AdamW())));
    expect(deserialize(scaler, { customObjects })).to.be.instanceOf(MyScaler);

    const placed = deserialize(stored(serialize(new MyAdamW())), { customObjects, device: "cpu:scalar" }) as AdamW;
    placed.build([{ name: "w", value: new Float32Array(1) }]);
    expect(placed.device).to.equal("cpu:scalar");
  });

  it("take Keras' Adam as an AdamW without decay, or with the decay it was given", () => {
    const adam = (config: object, module: string | null = "keras.src.backend.torch.optimizers.torch_adam") => {
      const registered_name = module && "Adam";
      return { module, class_name: "Adam", config: { name: "adam", learning_rate: 0.5, ...config }, registered_name };
    };
    const of = (json: object) => (deserialize(json) as AdamW).getConfig();
    expect(of(adam({ weight_decay: null }))).to.include({ name: "adam", learning_rate: 0.5, weight_decay: 0 });
    expect(of(adam({}, "keras.optimizers"))).to.include({ learning_rate: 0.5, weight_decay: 0 });
    expect(of(adam({ weight_decay: 0.25 }, null))).to.include({ weight_decay: 0.25 });
    expect(of({ class_name: "adam", config: { weightDecay: 0.5 } })).to.include({ weight_decay: 0.5 });
    const scaler = serialize(new LossScaleOptimizer(new AdamW()));
    const config = { ...(scaler.config as object), inner_optimizer: adam({ amsgrad: true }) };
    const { inner_optimizer } = (deserialize({ ...scaler, config }) as LossScaleOptimizer).getConfig();
    expect((inner_optimizer as { config: object }).config).to.include({ weight_decay: 0, amsgrad: true });
    class Adam extends AdamW {}
    const own = { module: "mine", class_name: "Adam", config: {}, registered_name: "mine>Adam" };
    expect(deserialize(own, { customObjects: { Adam } })).to.be.instanceOf(Adam);
    rejects(() => deserialize(own), "one of AdamW", '"Adam"');
    for (const weight_decay of [null, {}, []]) {
      rejects(() => AdamW.fromConfig({ weight_decay }), "weight");
    }
    rejects(() => AdamW.fromConfig({ weight_decay: null }), "a finite number ≥ 0", "weightDecay", "null");
  });

  it("reject what names no class, and unknown options", () => {
    for (const json of [null, 1, "AdamW", [], {}, { class_name: "AdamW" }, { class_name: 1, config: {} }]) {
      rejects(() => deserialize(json), "a serialized object { module, class_name, config, registered_name }");
    }
    rejects(() => deserialize(JSON.stringify(serialize(new AdamW()))), "JSON.parse() reads it");
    rejects(() => AdamW.fromConfig(serialize(new AdamW())), "what getConfig() returns (deserialize() takes");
    rejects(() => deserialize({ class_name: "SGD", config: {} }), "one of AdamW, LossScaleOptimizer", '"SGD"');
    rejects(() => deserialize({ class_name: "AdamW", config: {} }, { custom: {} } as never), "customObjects?");
    rejects(() => deserialize({ class_name: "AdamW", config: { jit_compile: true } }), '"jit_compile"');
  });
});

/** The module and registered name that Keras writes on every backend but torch. */
function publicForm(json: unknown): unknown {
  return JSON.parse(
    JSON.stringify(json).replaceAll(
      /"module":"keras\.src\.[^"]*torch_adamw"(.*?)"registered_name":"AdamW"/g,
      '"module":"keras.optimizers"$1"registered_name":null',
    ),
  );
}
