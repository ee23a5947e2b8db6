import { expect } from "chai";
import { type ParameterGroup, resolveGroups } from "../lib/groups.js";
import { resolveOptions } from "../lib/options.js";
import { rejects } from "./rejects.js";

const parameters = [
  { name: "embed/table", shape: [100, 8] },
  { name: "dense/kernel", shape: [8, 4] },
  { name: "dense/bias", shape: [4] },
  { name: "scale", shape: [] },
];
const neutral = { learningRateMultiplier: 1, frozen: false };

function settle(...groups: ParameterGroup[]) {
  return resolveGroups(resolveOptions({ groups }).groups, parameters);
}

/** The names of the parameters a match chooses. */
function chosenBy(match: ParameterGroup["match"]) {
  const settings = settle({ match, frozen: true });
  return parameters.filter((_, i) => settings[i]?.frozen).map(({ name }) => name);
}

describe("groups", () => {
  it("without groups every parameter has the optimizer's own settings", () => {
    expect(settle()).to.deep.equal([neutral, neutral, neutral, neutral]);
  });

  it("choose by glob, by regular expression, by rank", () => {
    expect(chosenBy("dense/*")).to.deep.equal(["dense/kernel", "dense/bias"]);
    expect(chosenBy("*")).to.deep.equal(["scale"]);
    expect(chosenBy("**")).to.have.length(4);
    expect(chosenBy(/(bias|table)$/)).to.deep.equal(["embed/table", "dense/bias"]);
    expect(chosenBy(/DENSE/i)).to.deep.equal(["dense/kernel", "dense/bias"]);
    expect(chosenBy({ rank: 1 })).to.deep.equal(["dense/bias"]);
    expect(chosenBy({ rank: 0 })).to.deep.equal(["scale"]);
    expect(chosenBy({ maxRank: 1 })).to.deep.equal(["dense/bias", "scale"]);
  });

  it("a regular expression that remembers a position still chooses by the whole name", () => {
    const match = /dense/g;
    match.lastIndex = 5;
    expect(chosenBy(match)).to.deep.equal(["dense/kernel", "dense/bias"]);
  });

  it("apply in their order, field by field, the later one winning", () => {
    const settings = settle(
      { match: "dense/**", weightDecay: 0.1, learningRateMultiplier: 0.5 },
      { match: { rank: 1 }, weightDecay: 0, beta2: 0.95 },
      { match: "embed/*", frozen: true, beta1: 0.8, epsilon: 1e-6 },
    );
    expect(settings).to.deep.equal([
      { ...neutral, frozen: true, beta1: 0.8, epsilon: 1e-6 },
      { ...neutral, weightDecay: 0.1, learningRateMultiplier: 0.5 },
      { ...neutral, weightDecay: 0, learningRateMultiplier: 0.5, beta2: 0.95 },
      neutral,
    ]);
    expect(settings[0]).to.be.frozen;
  });

  it("a group that matches nothing is an error unless it is optional", () => {
    rejects(() => settle({ match: "dense/*" }, { match: "dens/*" }), 'for groups[1].match but received "dens/*"');
    rejects(() => settle({ match: { rank: 4 } }), "for groups[0].match but received { rank: 4 }");
    expect(settle({ match: "dens/*", optional: true, frozen: true })[1]).to.deep.equal(neutral);
  });

  const wrong: [match: unknown, message: string][] = [
    ["", "a glob, a RegExp, { rank } or { maxRank } for groups[0].match"],
    [{}, "a glob, a RegExp, { rank } or { maxRank } for groups[0].match"],
    [{ rank: 1, maxRank: 2 }, "a glob, a RegExp, { rank } or { maxRank } for groups[0].match"],
    [{ rank: -1 }, "an integer ≥ 0 for groups[0].match.rank but received -1"],
    [{ minRank: 1 }, 'Unknown key "minRank" in groups[0].match'],
    [["a"], "for groups[0].match"],
  ];
  for (const [match, message] of wrong) {
    it(`a wrong match is rejected: ${JSON.stringify(match)}`, () => {
      rejects(() => settle({ match: match as string }), message);
    });
  }
});
