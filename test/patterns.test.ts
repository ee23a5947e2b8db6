import { expect } from "chai";
import fc from "fast-check";
import { globToRegExp, occursIn, pythonRegExp } from "../lib/patterns.js";
import { rejects } from "./rejects.js";

/** Matches a glob by trying everything, one character at a time. */
function globMatches(glob: string, text: string, atStart = true): boolean {
  if (glob === "") return text === "";
  const suffixes = Array.from({ length: text.length + 1 }, (_, i) => i);
  if (atStart && glob.startsWith("**/")) {
    return suffixes.some((i) => (i === 0 || text[i - 1] === "/") && globMatches(glob.slice(3), text.slice(i)));
  }
  if (glob.startsWith("**")) return suffixes.some((i) => globMatches(glob.slice(2), text.slice(i), false));
  if (glob.startsWith("*")) {
    return suffixes.some((i) => !text.slice(0, i).includes("/") && globMatches(glob.slice(1), text.slice(i), false));
  }
  const fits = glob[0] === "?" ? text !== "" && text[0] !== "/" : glob[0] === text[0];
  return fits && globMatches(glob.slice(1), text.slice(1), glob[0] === "/");
}

describe("patterns", () => {
  const globs: [glob: string, matching: string[], others: string[]][] = [
    ["embed/*", ["embed/table", "embed/"], ["embed/a/b", "embed", "xembed/a"]],
    ["**", ["", "a", "a/b/c"], []],
    ["**/bias", ["bias", "a/bias", "a/b/bias"], ["abias", "a/bias/x"]],
    ["block/**/kernel", ["block/kernel", "block/a/kernel", "block/a/b/kernel"], ["blockkernel", "block/akernel"]],
    ["block_?/*", ["block_1/k"], ["block_12/k", "block_/k", "block_//k"]],
    ["a.b+(c)[d]{e}|^$\\", ["a.b+(c)[d]{e}|^$\\"], ["axb", "a.b"]],
  ];
  for (const [glob, matching, others] of globs) {
    it(`the glob ${glob} matches whole names`, () => {
      for (const name of matching) expect(globToRegExp(glob).test(name), name).to.equal(true);
      for (const name of others) expect(globToRegExp(glob).test(name), name).to.equal(false);
    });
  }

  it("a glob does what a matcher that tries everything does", () => {
    const letters = (alphabet: string) => fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 7 });
    fc.assert(
      fc.property(letters("ab/*?."), letters("ab/."), (glob, text) => {
        expect(globToRegExp(glob).test(text), `${glob} on ${text}`).to.equal(globMatches(glob, text));
      }),
      { numRuns: 3000 },
    );
  });

  it("a search heeds no lastIndex, changes none, and keeps the flags", () => {
    const sticky = /b/y;
    const global = /B/gi;
    global.lastIndex = 3;
    expect(occursIn(global, "abc")).to.equal(true);
    expect(global.lastIndex).to.equal(3);
    expect(occursIn(sticky, "abc")).to.equal(false);
    expect(occursIn(sticky, "bc")).to.equal(true);
  });

  it("Python's anchors and named groups mean in JavaScript what they mean there", () => {
    expect(pythonRegExp("\\Abias\\Z", "p").source).to.equal("^bias$");
    expect(pythonRegExp("(?P<x>a)(?P=x)", "p").test("aa")).to.equal(true);
    expect(pythonRegExp("a{,3}[{,3}]", "p").source).to.equal("a{0,3}[{,3}]");
    expect(pythonRegExp("\\\\A", "p").test("\\A")).to.equal(true);
    const means: [source: string, matches: string[], others: string[]][] = [
      ["^[]a]$", ["]", "a"], ["b", "[]a]"]],
      ["^[^]a]$", ["b", "^"], ["]", "a"]],
      ["^[]]$", ["]"], ["", "[]"]],
      ["^a{,}$", ["", "aaaa"], ["a{,}", "b"]],
      ["^\\a$", ["\u0007"], ["a"]],
      ["^[\\\\p]$", ["\\", "p"], ["q"]],
      ["^(?<!b)a(?=$)", ["a"], ["ba"]],
    ];
    for (const [source, matches, others] of means) {
      const expression = pythonRegExp(source, "p");
      expect(
        matches.filter((text) => !expression.test(text)),
        source,
      ).to.deep.equal([]);
      expect(
        others.filter((text) => expression.test(text)),
        source,
      ).to.deep.equal([]);
    }
  });

  it("what is no regular expression is rejected", () => {
    for (const source of ["(", "*a", "[b-a]", "(?x:a)", "(?<q>a)"]) {
      rejects(() => pythonRegExp(source, "names[0]"), "a regular expression", `for names[0] but received "${source}"`);
    }
    for (const source of ["\\p{L}", "\\cA", "\\U00000062", "[\\N{DIGIT ONE}]", "\\k<q>", "(?P<a>b)\\e"]) {
      rejects(() => pythonRegExp(source, "names[0]"), "a regular expression of Python's");
    }
  });
});
