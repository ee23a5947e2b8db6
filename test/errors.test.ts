import { expect } from "chai";
import fc from "fast-check";
import { AdamWError, describe as describeValue, type ErrorCode, either, errorCodes, invalid } from "../lib/errors.js";

describe("errors", () => {
  it("an AdamWError is an Error with a name, a code and a cause", () => {
    const cause = new Error("cause");
    const error = new AdamWError("BUSY", "one step at a time", { cause });
    expect(error).to.be.instanceOf(Error);
    expect(error).to.include({ name: "AdamWError", code: "BUSY", message: "one step at a time", cause });
  });

  it("every code is upper snake case and has a meaning of one sentence", () => {
    for (const [code, meaning] of Object.entries(errorCodes)) {
      expect(code).to.match(/^[A-Z]+(_[A-Z]+)*$/);
      expect(meaning, code).to.match(/^[A-Z].*\.$/);
    }
  });

  it("invalid quotes the name, what was expected and what came", () => {
    const error = invalid("beta1", "a number in [0, 1)", 1.5);
    expect(error.code).to.equal("INVALID_ARGUMENT" satisfies ErrorCode);
    expect(error.message).to.equal("Expected a number in [0, 1) for beta1 but received 1.5");
  });

  it("choices are listed as in a sentence", () => {
    expect([["a"], ["a", "b"], ["a", "b", "c"]].map((choices) => either(choices))).to.deep.equal([
      "a",
      "a or b",
      "a, b or c",
    ]);
  });

  const shown: [value: unknown, text: string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [-0, "-0"],
    [Number.NaN, "NaN"],
    [12n, "12n"],
    ["0.1", '"0.1"'],
    ["x".repeat(100), `"${"x".repeat(60)}…"`],
    [Symbol("s"), "Symbol(s)"],
    [/a\/b/g, "/a\\/b/g"],
    [() => 1, "an anonymous function"],
    [Math.max, "function max"],
    [[1, "a", null], '[1, "a", null]'],
    [Array.from({ length: 100 }, (_, i) => i), "[0, 1, 2, 3, … 96 more]"],
    [new Array(2), "[undefined, undefined]"],
    [new Float32Array(7), "Float32Array(7)"],
    [new DataView(new ArrayBuffer(3)), "DataView(3)"],
    [{}, "{}"],
    [{ a: { b: { c: 1 } } }, "{ a: { b: an object of 1 keys } }"],
    [Object.assign(Object.create(null), { a: 1 }), "{ a: 1 }"],
    [new Map(), "an instance of Map"],
  ];
  for (const [value, text] of shown) {
    it(`a received value is shown as ${text}`, () => {
      expect(describeValue(value)).to.equal(text);
    });
  }

  it("an object that throws when inspected does not hide the error", () => {
    const hostile = new Proxy({}, { getPrototypeOf: () => expect.fail("looked inside") });
    expect(describeValue(hostile)).to.equal("an object that cannot be inspected");
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    expect(describeValue(proxy)).to.equal("an object that cannot be inspected");
  });

  it("any value at all is shown shortly", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true, withTypedArray: true }), (value) => {
        expect(describeValue(value)).to.be.a("string").with.length.below(5000);
      }),
    );
  });
});
