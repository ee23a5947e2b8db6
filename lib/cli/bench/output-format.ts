/** Which format a result is written in: what is asked for, what the file is called, or what suits the reader. */

import { extname } from "node:path";
import { either } from "../../errors.js";
import { CommandError, wrongValue } from "../exit.js";
import { isTerminal } from "../terminal.js";
import type { FormatName } from "./formats.js";

/** Without a dot. A file with another extension, or with none, may hold any format, which must be said then. */
const extensions: Readonly<Record<string, FormatName>> = {
  md: "markdown",
  markdown: "markdown",
  csv: "csv",
  json: "json",
  jsonl: "jsonl",
  ndjson: "jsonl",
  html: "html",
  htm: "html",
};

export interface FormatWishes {
  readonly format?: FormatName;
  readonly json?: true;
  readonly output?: string;
}

/** @throws CommandError where two of the flags ask for different formats, and for a file where none does */
export function chooseFormat({ format, json, output = "" }: FormatWishes): FormatName {
  if (json && format !== undefined && format !== "json") {
    throw new CommandError("usage", `Give --json or --format ${format}, not both`);
  }
  const wanted = json ? "json" : format;
  const extension = extname(output).slice(1).toLowerCase();
  const said = Object.hasOwn(extensions, extension) ? extensions[extension] : undefined;
  if (wanted !== undefined && said !== undefined && wanted !== said) {
    const flag = json ? "--json" : `--format ${wanted}`;
    throw new CommandError(
      "usage",
      `${flag} contradicts --output ${output}: .${extension} is the extension of ${said}`,
    );
  }
  if (output !== "" && wanted === undefined && said === undefined) {
    const known = either(Object.keys(extensions).map((name) => `.${name}`));
    throw wrongValue("--output", `a file ending in ${known}, or --format for any other,`, output);
  }
  return wanted ?? said ?? (isTerminal() ? "table" : "markdown");
}
