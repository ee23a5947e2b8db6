import { expect } from "chai";
import { groupFields } from "../lib/groups.js";
import { optionFields } from "../lib/options.js";
import { closest, meanings, otherNames } from "../lib/spelling.js";

describe("spelling", () => {
  const options = Object.keys(optionFields);
  const meant: Readonly<Record<string, readonly string[]>> = {
    // Keras', in Python and misremembered
    beta_1: ["beta1"],
    learning_rate: ["learningRate"],
    global_clipnorm: ["globalClipnorm"],
    clipNorm: ["clipnorm"],
    epsilonn: ["epsilon"],
    // PyTorch's
    lr: ["learningRate"],
    betas: ["beta1", "beta2"],
    eps: ["epsilon"],
    weight_decay: ["weightDecay"],
    max_norm: ["globalClipnorm"],
    param_groups: ["groups"],
    // others'
    b2: ["beta2"],
    ema: ["useEma"],
    ema_decay: ["emaMomentum"],
    gradient_clip_val: ["globalClipnorm"],
    accumulation_steps: ["gradientAccumulationSteps"],
  };
  for (const [word, names] of Object.entries(meant)) {
    it(`${word} stands for ${names.join(" and ")}`, () => {
      expect(meanings(word, options)).to.deep.equal(names);
    });
  }

  it("knows what is meant among other words too", () => {
    expect(meanings("lr", Object.keys(groupFields))).to.deep.equal(["learningRateMultiplier"]);
    expect(meanings("betas", ["beta_1", "beta1", "beta_2"])).to.deep.equal(["beta_1", "beta_2"]);
    expect(meanings("ema", ["maxima"])).to.deep.equal([]);
  });

  it("guesses nothing for a word that is like none", () => {
    for (const word of ["momentum", "_", "constructor"]) expect(meanings(word, options), word).to.deep.equal([]);
    expect(closest("_", options)).to.equal(undefined);
  });

  it("has only options for the names of other libraries, written as words are compared", () => {
    for (const [name, ours] of Object.entries(otherNames)) {
      expect(name).to.match(/^[a-z0-9]+$/);
      expect(options).to.include.members([...ours]);
    }
  });
});
