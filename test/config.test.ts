import { expect } from "chai";
import fc from "fast-check";
import { configToOptions, optionsToConfig } from "../lib/config.js";
import { configToLossScale, lossScaleToConfig, resolveLossScaleOptions } from "../lib/loss-scale-options.js";
import { type AdamWOptions, resolveOptions } from "../lib/options.js";
import { CosineDecay, Join } from "../lib/schedules/index.js";
import { anyOptions } from "./any-options.js";
import { loadGolden } from "./golden/golden.js";
import { rejects, rejectsWith } from "./rejects.js";

const toConfig = (options: AdamWOptions) => optionsToConfig(resolveOptions(options));

/** The configuration as it comes back from a file. */
const stored = (config: unknown) => JSON.parse(JSON.stringify(config));

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

describe("configuration", () => {
  for (const { name, class_name, backend, config } of loadGolden("configs").cases) {
    if (class_name !== "AdamW") continue;
    it(`reads and writes Keras': ${name} (${backend})`, () => {
      // A function is a custom object: Keras' JSON holds its name only.
      const learningRate = config.learning_rate as { class_name?: string; config?: string };
      const custom = learningRate.class_name === "function" ? [[learningRate.config, named(learningRate.config)]] : [];
      const options = resolveOptions(configToOptions(deepFreeze(structuredClone(config)), Object.fromEntries(custom)));
      expect(JSON.stringify(withFloat32(optionsToConfig(options)))).to.equal(JSON.stringify(withFloat32(config)));
    });
  }

  it("writes the learning rate as Keras' float32 variable holds it, and what was changed since", () => {
    const options = resolveOptions();
    expect(optionsToConfig(options).learning_rate).to.equal(0.0010000000474974513);
    expect(optionsToConfig(options, { learningRate: 0.5 }).learning_rate).to.equal(0.5);
  });

  it("writes keys of our own only where they are not the default, after Keras'", () => {
    expect(Object.keys(toConfig({ formula: "keras", groups: [], maximize: false }))).to.have.length(15);
    const config = toConfig({
      formula: "torch",
      nonFinite: "skip",
      groups: [{ match: /bias$/i, weightDecay: 0 }, { match: { maxRank: 1 }, beta1: 0.5 }, { match: "a/*" }],
      excludeFromWeightDecay: { names: ["bias", /norm/], parameters: ["p", { name: "q" }] },
    });
    expect(Object.entries(config).slice(15)).to.deep.equal([
      ["formula", "torch"],
      ["non_finite", "skip"],
      [
        "groups",
        [
          { match: { source: "bias$", flags: "i" }, weight_decay: 0 },
          { match: { max_rank: 1 }, beta_1: 0.5 },
          { match: "a/*" },
        ],
      ],
      ["exclude_from_weight_decay", { names: ["bias", { source: "norm", flags: "" }], parameters: ["p", "q"] }],
    ]);
  });

  it("reads camelCase too, but not one option under both its names", () => {
    expect(
      configToOptions({ beta1: 0.5, weight_decay: 0.1, groups: [{ match: { maxRank: 1 }, weightDecay: 0 }] }),
    ).to.deep.equal({ beta1: 0.5, weightDecay: 0.1, groups: [{ match: { maxRank: 1 }, weightDecay: 0 }] });
    rejects(() => configToOptions({ beta1: 0.5, beta_1: 0.5 }), "only one of beta_1 and beta1");
  });

  it("rejects unknown keys, unknown classes and what is no configuration", () => {
    rejects(() => configToOptions({ beta_3: 0.5 }), 'Unknown key "beta_3" in the config of AdamW', "beta_1?");
    rejects(() => configToOptions({ groups: [{ match: "a", decay: 0 }] }), 'Unknown key "decay" in groups[0]');
    rejects(() => configToOptions(null), "a plain object for the config of AdamW but received null");
    rejects(() => configToOptions({ learning_rate: {} }), "a serialized object");
    const unknown = { module: "mine", class_name: "MyDecay", config: {}, registered_name: "MyDecay" };
    rejects(
      () => configToOptions({ learning_rate: unknown }),
      "or a name in customObjects, for learning_rate",
      '"MyDecay"',
    );
    const fake = { module: "mine", class_name: "CosineDecay", config: {}, registered_name: "CosineDecay" };
    rejects(() => configToOptions({ learning_rate: fake }), '"CosineDecay"');
    rejects(() => configToOptions({ learning_rate: { ...unknown, class_name: "toString" } }), '"toString"');
  });

  it("nested schedules are found whatever the case of the class name, as in Keras", () => {
    const config = { initial_learning_rate: 0.1, decay_steps: 10 };
    const { learningRate } = configToOptions({ learning_rate: { class_name: "cosinedecay", config } });
    expect(learningRate).to.be.instanceOf(CosineDecay).with.nested.property("options.decaySteps", 10);
  });

  it("custom schedules and functions come back through customObjects", () => {
    class MyDecay {
      readonly rate: number;
      constructor({ rate }: { rate: number }) {
        this.rate = rate;
      }
      at() {
        return this.rate;
      }
      getConfig() {
        return { rate: this.rate };
      }
    }
    const schedule = new Join({
      schedules: [new MyDecay({ rate: 0.5 }), new MyDecay({ rate: 0.25 })],
      boundaries: [3],
    });
    const read = configToOptions(stored(toConfig({ learningRate: schedule })), { MyDecay }).learningRate as Join;
    expect(read.getConfig()).to.deep.equal(schedule.getConfig());
    expect(read.at(3)).to.equal(0.25);

    const halving = () => 0.5;
    const config = stored(toConfig({ learningRate: halving }));
    expect(config.learning_rate).to.deep.equal({
      module: "builtins",
      class_name: "function",
      config: "halving",
      registered_name: "function",
    });
    expect(configToOptions(config, { halving }).learningRate).to.equal(halving);
    rejects(() => configToOptions(config), 'a name in customObjects, for learning_rate but received "halving"');
  });

  it("what has no name cannot be written", () => {
    rejectsWith("NOT_SERIALIZABLE", () => toConfig({ learningRate: unnamed() }), "an anonymous function");
    rejectsWith("NOT_SERIALIZABLE", () => toConfig({ learningRate: { at: () => 1, getConfig: () => ({}) } }));
  });

  it("is the identity on options whose learning rate is a float32", () => {
    fc.assert(
      fc.property(anyOptions(), (given) => {
        const options = resolveOptions(given);
        const config = optionsToConfig(options);
        const again = resolveOptions(configToOptions(deepFreeze(stored(config))));
        expect(optionsToConfig(again)).to.deep.equal(config);
        const { learningRate: rate, weightDecay: decay, ...others } = options;
        expect(again).to.deep.include(others);
        if (typeof rate === "number") expect(again.learningRate).to.equal(rate);
        if (typeof decay === "number") expect(again.weightDecay).to.equal(decay);
      }),
    );
  });

  describe("of LossScaleOptimizer", () => {
    const inner = { constructor: { name: "Inner" }, getConfig: () => ({}) };

    it("has Keras' keys in Keras' order, ours where they are not the default", () => {
      expect(Object.keys(lossScaleToConfig(inner, resolveLossScaleOptions()))).to.deep.equal([
        "name",
        "inner_optimizer",
        "initial_scale",
        "dynamic_growth_steps",
      ]);
      const config = lossScaleToConfig(inner, resolveLossScaleOptions({ minimumScale: 1 }));
      expect(config).to.include({ minimum_scale: 1 }).and.not.have.property("maximum_scale");
    });

    it("comes back as it was", () => {
      const options = resolveLossScaleOptions({
        name: "mine",
        initialScale: 8,
        dynamicGrowthSteps: 5,
        maximumScale: 64,
      });
      const config = stored(lossScaleToConfig(inner, options));
      const read = configToLossScale(deepFreeze(config));
      expect(resolveLossScaleOptions(read.options)).to.deep.equal(options);
      expect(read.inner).to.deep.equal(config.inner_optimizer);
    });

    it("rejects an initial scale outside its limits, and unknown keys", () => {
      rejects(
        () => resolveLossScaleOptions({ initialScale: 0.5, minimumScale: 1 }),
        "for initialScale but received 0.5",
      );
      rejects(() => resolveLossScaleOptions({ minimumScale: 2 ** -128 }), "its reciprocal too for minimumScale");
      rejects(() => resolveLossScaleOptions({ maximumScale: 2 ** 128 }), "in float32", "for maximumScale");
      rejects(() => resolveLossScaleOptions({ initialScale: 0 }), "a finite number > 0 for initialScale");
      rejects(() => configToLossScale({ dynamic: true }), 'Unknown key "dynamic"');
    });
  });
});

/** An arrow function written directly as a property would be named after the property. */
function unnamed(): () => number {
  return () => 1;
}

function named(name: string | undefined): () => number {
  return Object.defineProperty(() => 1, "name", { value: name });
}

/** Keras running in float64 keeps all digits of its learning rate; ours is always written as a float32. */
function withFloat32(config: Record<string, unknown>): Record<string, unknown> {
  const { learning_rate: rate } = config;
  if (typeof rate === "number") return { ...config, learning_rate: Math.fround(rate) };
  const { class_name, config: inner } = rate as Record<string, unknown>;
  return { ...config, learning_rate: { class_name, config: inner } };
}
