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

  it("must be asked for in a file with another extension", () => {
    for (const output of ["x", "x.pdf", "x.constructor", "csv"]) {
      const known = "a file ending in .md, .markdown, .csv, .json, .jsonl, .ndjson, .html or .htm, or --format for any";
      expect(() => chooseFormat({ output }))
        .to.throw(known)
        .and.to.have.property("exitCode", 2);
      for (const format of formatNames) expect(chooseFormat({ output, format })).to.equal(format);
    }
  });

  it("--json is a format too", () => {
    expect(chooseFormat({ json: true, output: "x.json" })).to.equal("json");
    expect(() => chooseFormat({ json: true, output: "x.csv" })).to.throw("--json contradicts --output x.csv");
  });
});
