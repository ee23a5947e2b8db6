import { expect } from "chai";
import {
  belowOne,
  countOrNull,
  divisorFloat32,
  fraction,
  integerFrom,
  isRecord,
  type Kind,
  listOf,
  nonNegative,
  nonNegativeFloat32,
  oneOf,
  orNull,
  parse,
  parseRecord,
  positive,
  positiveFloat32,
  steps,
} from "../lib/validate.js";
import { rejects } from "./rejects.js";

/** The largest number that float32 holds. */
const largest = (2 - 2 ** -23) * 2 ** 127;

describe("validate", () => {
  const cases: [name: string, kind: Kind<never>, good: unknown[], bad: unknown[]][] = [
    ["nonNegative", nonNegative as Kind<never>, [0, -0, 5e-324, 1e300], [-1, Number.NaN, Infinity, "1", null, 1n]],
    ["positive", positive as Kind<never>, [5e-324, 1], [0, -1, Infinity]],
    [
      "nonNegativeFloat32",
      nonNegativeFloat32 as Kind<never>,
      [0, -0, 5e-324, 2 ** -149, largest],
      [-1, -5e-324, 2 ** 128, 1e39, Number.NaN, Infinity, "1"],
    ],
    ["positiveFloat32", positiveFloat32 as Kind<never>, [2 ** -149, largest], [0, 2 ** -150, 1e-300, 1e39, Infinity]],
    ["divisorFloat32", divisorFloat32 as Kind<never>, [2 ** -127, largest], [0, 2 ** -128, 2 ** -149, 1e39, -1]],
    ["belowOne", belowOne as Kind<never>, [0, 0.999], [1, -0.1, Number.NaN]],
    ["fraction", fraction as Kind<never>, [0, 1], [1.1, -0.1]],
    ["steps", steps as Kind<never>, [1, 937.5], [0, Infinity]],
    ["integerFrom", integerFrom(1) as Kind<never>, [1, 2 ** 53 - 1], [0, 1.5, 2 ** 53, "1"]],
    ["countOrNull", countOrNull(2) as Kind<never>, [null, 0, 2, 3], [1, -1, 2.5, undefined, false]],
    ["oneOf", oneOf("a", "b") as Kind<never>, ["a", "b"], ["c", "A", null]],
    ["orNull", orNull(positive) as Kind<never>, [null, 1], [0, undefined]],
    ["listOf", listOf(positive, 1) as Kind<never>, [[1], [1, 2]], [[], [0], [1, "2"], "12", { length: 1 }]],
  ];
  for (const [name, kind, good, bad] of cases) {
    it(`${name} accepts its own values and no others`, () => {
      for (const value of good) expect(parse(kind, value, name)).to.deep.equal(value);
      for (const value of bad) rejects(() => parse(kind, value, name), `for ${name}`);
    });
  }

  it("a list is copied, frozen and named entry by entry", () => {
    const given = [1, 2];
    const list = parse(listOf(positive), given, "list");
    expect(list).to.be.frozen.and.not.equal(given);
    rejects(() => parse(listOf(positive), [1, 0], "list"), "a finite number > 0 for list[1] but received 0");
    rejects(() => parse(listOf(positive), new Array(1), "list"), "list[0] but received undefined");
  });

  it("a record is an object literal, with or without a prototype, of any realm, and nothing else", async () => {
    const { runInNewContext } = await import("node:vm");
    for (const value of [{}, Object.create(null), JSON.parse("{}"), runInNewContext("({})")]) {
      expect(isRecord(value)).to.equal(true);
    }
    for (const value of [[], null, new Map(), /a/, new Date(), () => 1, "text"])
      expect(isRecord(value)).to.equal(false);
  });

  it("an unknown key is named together with the known one it stands for", () => {
    const known = ["learningRate", "weightDecay", "beta1", "beta2", "epsilon", "clipnorm"];
    rejects(() => parseRecord({ beta_1: 1 }, "options", known), 'Unknown key "beta_1" in options', "beta1?");
    rejects(() => parseRecord({ betas: [] }, "options", known), "did you mean beta1 and beta2?");
    rejects(() => parseRecord({ momentum: 1 }, "options", known), "expected learningRate, weightDecay");
    rejects(() => parseRecord([], "options", known), "a plain object for options but received []");
  });
});
