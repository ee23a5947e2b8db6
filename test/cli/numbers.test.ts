import { expect } from "chai";
import { CommandError } from "../../lib/cli/exit.js";
import { formatBytes, formatCount, formatSeconds, significant } from "../../lib/cli/format.js";
import { parseCount, parseCounts, parseShare } from "../../lib/cli/numbers.js";

describe("numbers of the command line", () => {
  const counts: [text: string, count: number][] = [
    ["1", 1],
    ["1e6", 1_000_000],
    ["124M", 124_000_000],
    ["1.5b", 1_500_000_000],
    ["50_000", 50_000],
  ];
  for (const [text, count] of counts) it(`${text} is ${count}`, () => expect(parseCount(text, "n")).to.equal(count));

  for (const text of ["", "0", "-1", "1.5", "1e30", "NaN", "Infinity", "0x10", "ten", "1 000"]) {
    it(`"${text}" is no count`, () => expect(() => parseCount(text, "n")).to.throw(CommandError, "for n"));
  }

  it("lists and ranges give their sizes in order", () => {
    expect(parseCounts("1e3..1e6*10", "n", 2)).to.deep.equal([1e3, 1e4, 1e5, 1e6]);
    expect(parseCounts("5,1e3..4e3*2", "n", 10)).to.deep.equal([5, 1e3, 2e3, 4e3]);
    expect(parseCounts("10..20*1.5", "n", 2)).to.deep.equal([10, 15]);
    expect(parseCounts("1..8", "n", 2)).to.deep.equal([1, 2, 4, 8]);
  });

  for (const text of ["1..10*1", "10..1*2", "1..10*x", "1..1e15*1.01", "1,,2", "1..", "..2", "1..2*"]) {
    it(`"${text}" is no list of counts`, () => expect(() => parseCounts(text, "n", 2)).to.throw(CommandError));
  }

  it("a share is a percentage or a fraction below 1", () => {
    expect(parseShare("5%", "s")).to.equal(0.05);
    expect(parseShare("0.1", "s")).to.equal(0.1);
    for (const text of ["", "%", "100%", "-1%", "x"]) expect(() => parseShare(text, "s")).to.throw(CommandError);
  });

  it("are shown with three digits and a unit", () => {
    expect([999, 1000, 109_386, 124_439_808, 8.03e9].map(formatCount)).to.deep.equal([
      "999",
      "1 k",
      "109 k",
      "124 M",
      "8.03 B",
    ]);
    expect([512, 2048, 1.5 * 2 ** 30].map(formatBytes)).to.deep.equal(["512 B", "2 KiB", "1.5 GiB"]);
    expect([2, 0.0123, 4.5e-6, 3e-8].map(formatSeconds)).to.deep.equal(["2 s", "12.3 ms", "4.5 µs", "30 ns"]);
    expect([0, 0.01234, 100, 12_345].map((value) => significant(value))).to.deep.equal(["0", "0.0123", "100", "12345"]);
  });
});
