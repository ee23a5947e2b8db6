import { expect } from "chai";
import { type Column, renderTable, wrap } from "../../lib/cli/table.js";

type Row = readonly [name: string, size: string, note: string];

const list: readonly Column<Row>[] = [
  { title: "name", cell: ([name]) => name },
  { title: "size", align: "right", spare: 1, cell: ([, size]) => size },
  { title: "note", spare: 2, cell: ([, , note]) => note },
];
const rows: readonly Row[] = [
  ["first", "1", "of many words"],
  ["second", "22", ""],
];

describe("a table", () => {
  it("is aligned where it fits", () => {
    expect(renderTable(list, rows, 80).split("\n")).to.deep.equal([
      "name    size  note",
      "first      1  of many words",
      "second    22",
    ]);
  });

  it("leaves out what can be spared where it does not, and says so", () => {
    expect(renderTable(list, rows, 12).split("\n")).to.deep.equal([
      "name    size",
      "first      1",
      "second    22",
      "Not shown",
      "for lack of",
      "room: note.",
    ]);
  });

  it("breaks long texts of a column that wraps", () => {
    const wraps = [list[0]!, { title: "text", wraps: true, cell: () => "a text of more than thirty characters" }];
    expect(renderTable(wraps, rows.slice(0, 1), 31).split("\n")).to.deep.equal([
      "name   text",
      "first  a text of more than",
      "       thirty characters",
    ]);
  });

  it("becomes blocks, with everything, where that does not help", () => {
    const blocks = renderTable([{ title: "key", cell: ([name]) => `${name} key` }, ...list], rows, 10);
    expect(blocks.split("\n").slice(0, 4)).to.deep.equal([
      "key   first key",
      "name  first",
      "size  1",
      "note  of many",
    ]);
  });

  it("breaks a word that is too long after a dot or a slash, else anywhere", () => {
    expect(wrap("of a.bcde.fgh /home/path /abcdefgh", 6)).to.deep.equal([
      "of",
      "a.",
      "bcde.",
      "fgh",
      "/home/",
      "path",
      "/abcde",
      "fgh",
    ]);
  });
});
