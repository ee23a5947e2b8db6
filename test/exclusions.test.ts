import { expect } from "chai";
import { exclusionsKind, nameExclusions, resolveExclusions, type WeightDecayExclusions } from "../lib/exclusions.js";
import { parse } from "../lib/validate.js";
import { rejects } from "./rejects.js";

const parameters = [
  { name: "d1/kernel", value: new Float32Array(4) },
  { name: "d1/bias", value: new Float32Array(2) },
  { name: "norm/gamma", value: new Float32Array(2) },
  { name: "bias", value: new Float32Array(1) },
] as const;

function excluded(exclusions: WeightDecayExclusions | null) {
  const flags = resolveExclusions(exclusions && parseExclusions(exclusions), parameters);
  return parameters.filter((_, i) => flags[i]).map(({ name }) => name);
}

const parseExclusions = (given: unknown) => parse(exclusionsKind, given, "excludeFromWeightDecay");

describe("exclusions from weight decay", () => {
  it("none, or empty ones, exclude nothing", () => {
    expect(excluded(null)).to.deep.equal([]);
    expect(excluded({})).to.deep.equal([]);
    expect(excluded({ names: [], parameters: [] })).to.deep.equal([]);
  });

  it("a string is Keras' regular expression, searched in the last component of the name", () => {
    expect(excluded({ names: ["bias"] })).to.deep.equal(["d1/bias", "bias"]);
    expect(excluded({ names: ["d1"] })).to.deep.equal([]);
    expect(excluded({ names: ["BIAS"] })).to.deep.equal([]);
    expect(excluded({ names: ["^b", "ern.l$"] })).to.deep.equal(["d1/kernel", "d1/bias", "bias"]);
    expect(excluded({ names: ["gamma|bias"] })).to.deep.equal(["d1/bias", "norm/gamma", "bias"]);
  });

  it("a RegExp is searched in the whole name, whatever its lastIndex", () => {
    const norm = /norm/g;
    norm.lastIndex = 4;
    expect(excluded({ names: [norm] })).to.deep.equal(["norm/gamma"]);
    expect(excluded({ names: [/^d1\//] })).to.deep.equal(["d1/kernel", "d1/bias"]);
  });

  it("a parameter is its name, its entry or its value, and no other parameter", () => {
    const [kernel, , gamma] = parameters;
    expect(excluded({ parameters: ["bias"] })).to.deep.equal(["bias"]);
    expect(excluded({ parameters: [{ name: "d1/bias" }, kernel] })).to.deep.equal(["d1/kernel", "d1/bias"]);
    expect(excluded({ parameters: [gamma.value] })).to.deep.equal(["norm/gamma"]);
  });

  it("a parameter that is none of them is an error", () => {
    rejects(() => excluded({ parameters: ["d1"] }), 'excludeFromWeightDecay.parameters[0] but received "d1"');
    rejects(() => excluded({ parameters: [new Float32Array(4)] }), "one of the built parameters");
  });

  it("values are named for JSON", () => {
    const given = parseExclusions({
      names: ["bias", /norm/],
      parameters: [parameters[0].value, "bias", parameters[1]],
    });
    expect(nameExclusions(given, parameters)).to.deep.equal({
      names: ["bias", /norm/],
      parameters: ["d1/kernel", "bias", "d1/bias"],
    });
  });

  it("wrong arguments are rejected", () => {
    rejects(() => parseExclusions({ names: "bias" }), 'an array for excludeFromWeightDecay.names but received "bias"');
    rejects(() => parseExclusions({ names: ["("] }), "a regular expression for excludeFromWeightDecay.names[0]");
    rejects(() => parseExclusions({ names: [1] }), "excludeFromWeightDecay.names[0]");
    rejects(() => parseExclusions({ parameters: [null] }), "excludeFromWeightDecay.parameters[0] but received null");
    rejects(() => parseExclusions({ varNames: [] }), 'Unknown key "varNames" in excludeFromWeightDecay');
    rejects(() => parseExclusions(null), "an object { names, parameters }");
  });
});
