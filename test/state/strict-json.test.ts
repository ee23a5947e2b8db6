import { expect } from "chai";
import fc from "fast-check";
import { JsonError, parseStrictJson } from "../../lib/state/strict-json.js";

describe("strict JSON", () => {
  const fails = (text: string, problem: string, offset: number) => {
    expect(() => parseStrictJson(text))
      .to.throw(JsonError, problem)
      .with.property("offset", offset);
  };

  it("reads what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        const keysOnce = JSON.stringify(JSON.parse(text));
        expect(JSON.stringify(parseStrictJson(keysOnce))).to.equal(keysOnce);
      }),
    );
  });

  it("reads spaces, escapes and numbers as JSON.parse does", () => {
    for (const text of [' { "a" : [ 1 , -0.5e-3 ] } \n', '"\\u00e9\\\\\\""', '"\\\\"', "[]", "{}", "-0", "1E+2"]) {
      expect(JSON.stringify(parseStrictJson(text))).to.equal(JSON.stringify(JSON.parse(text)));
    }
  });

  it("takes __proto__ for a key like any other", () => {
    const record = parseStrictJson('{"__proto__": {"polluted": 1}}') as Record<string, unknown>;
    expect(Object.keys(record)).to.deep.equal(["__proto__"]);
    expect(({} as Record<string, unknown>).polluted).to.equal(undefined);
  });

  it("rejects a key that occurs twice, and says where", () => fails('{"a":1,"é":2,"a":3}', "occurs twice", 14));

  it("rejects what is nested too deep without a stack overflow", () => {
    fails("[".repeat(1_000_000), "nested deeper", 65);
    fails('{"a":'.repeat(1_000_000), "nested deeper", 325);
  });

  it("rejects what JSON.parse rejects", () => {
    for (const text of [
      "",
      "01",
      "1.",
      "+1",
      "[1,]",
      "{,}",
      '{"a"}',
      "nul",
      "NaN",
      "'a'",
      '"\n"',
      '"\\x"',
      "[1",
      '"a',
      "1 2",
    ]) {
      expect(() => JSON.parse(text), text).to.throw();
      expect(() => parseStrictJson(text), text).to.throw(JsonError);
    }
  });
});
