import { expect } from "chai";
import { formatNames } from "../../../lib/cli/bench/formats.js";
import { chooseFormat } from "../../../lib/cli/bench/output-format.js";

describe("the format of bench's result", () => {
  const extensions = { md: "markdown", csv: "csv", json: "json", jsonl: "jsonl", html: "html", HTM: "html" } as const;
  for (const [extension, format] of Object.entries(extensions)) {
    it(`is ${format} in a file that ends in .${extension}`, () => {
      expect(chooseFormat({ output: `a.folder/x.${extension}` })).to.equal(format);
      expect(chooseFormat({ output: `x.${extension}`, format })).to.equal(format);
      for (const other of formatNames.filter((name) => name !== format)) {
        const contradiction = `--format ${other} contradicts --output x.${extension}`;
        expect(() => chooseFormat({ output: `x.${extension}`, format: other })).to.throw(contradiction);
      }
    });
  }

  it("is what is asked for in a file with another extension, else markdown", () => {
    for (const output of ["x", "x.txt", "x.constructor", "csv"]) {
      expect(chooseFormat({ output })).to.equal("markdown");
      for (const format of formatNames) expect(chooseFormat({ output, format })).to.equal(format);
    }
  });

  it("--json is a format too", () => {
    expect(chooseFormat({ json: true, output: "x.json" })).to.equal("json");
    expect(() => chooseFormat({ json: true, output: "x.csv" })).to.throw("--json contradicts --output x.csv");
  });
});
