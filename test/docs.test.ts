import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import { runtimeKeys } from "../lib/device.js";
import { errorCodes } from "../lib/errors.js";
import { groupFields } from "../lib/groups.js";
import { lossScaleFields } from "../lib/loss-scale-options.js";
import { optionFields } from "../lib/options.js";
import * as schedules from "../lib/schedules/index.js";
import { temporaryFolder } from "./temporary.js";

function read(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
}

/** The TypeScript blocks of a page. */
function examples(page: string): string[] {
  return [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code as string);
}

describe("the documentation", () => {
  const readme = read("README.md");
  const library = new URL("../lib/index.ts", import.meta.url).href;
  const temporary = temporaryFolder();

  before(() =>
    symlinkSync(fileURLToPath(new URL("../node_modules", import.meta.url)), temporary("node_modules"), "junction"),
  );

  function run(code: string): Promise<{ stdout: string }> {
    const file = temporary("example.mts");
    writeFileSync(file, code.replaceAll('"fused-adamw"', JSON.stringify(library)));
    return promisify(execFile)(process.execPath, ["--import", "tsx", file]);
  }

  for (const [i, code] of examples(readme).entries()) {
    it(`example ${i + 1} of the README runs`, async () => {
      await run(code);
    });
  }

  for (const [i, code] of examples(read("docs/tensorflowjs.md")).entries()) {
    it(`example ${i + 1} of the page on TensorFlow.js learns the weights`, async () => {
      const { stdout } = await run(code);
      const [, list = ""] = /Float32Array\(3\) \[(.*)\]/s.exec(stdout) ?? [];
      const weights = list.split(",").map(Number);
      expect(weights.map((weight) => Math.round(10 * weight))).to.deep.equal([10, -20, 30]);
    });
  }

  it("the README lists every option and every schedule", () => {
    for (const name of [...Object.keys(optionFields), ...Object.keys(schedules)]) {
      expect(readme, name).to.include(`\`${name}\``);
    }
  });

  it("the reference lists every field of groups, schedules, the loss scaler, the runtime and the report", () => {
    const reference = read("docs/api.md");
    const report = new AdamW({ reportNorms: true })
      .build([{ name: "w", value: new Float32Array(1) }])
      .apply([new Float32Array(1)]);
    const names = [
      ...runtimeKeys,
      ...Object.keys(groupFields),
      ...Object.keys(lossScaleFields),
      ...Object.keys(report ?? {}),
      ...Object.entries(schedules).flatMap(([name, { fields }]) => [name, ...Object.keys(fields)]),
    ];
    expect(names).to.have.length.above(60);
    for (const name of names) expect(reference, name).to.include(`\`${name}\``);
  });

  it("the README lists every method and property of AdamW", () => {
    const members = Object.getOwnPropertyNames(AdamW.prototype).filter((name) => name !== "constructor");
    for (const name of members) expect(readme, name).to.include(`\`${name}\``);
  });

  it("the pages link to pages that exist", () => {
    for (const page of [
      "README.md",
      "CONTRIBUTING.md",
      ...readdirSync(new URL("../docs", import.meta.url)).map((name) => `docs/${name}`),
    ]) {
      for (const [, target = ""] of page.endsWith(".md") ? read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g) : []) {
        expect(existsSync(new URL(target, new URL(`../${page}`, import.meta.url))), `${page}: ${target}`).to.equal(
          true,
        );
      }
    }
  });

  it("the error table lists exactly the codes there are, with their meanings", () => {
    const rows = [...read("docs/semantics.md").matchAll(/^\| `([A-Z_]+)` \| (.*) \|$/gm)];
    const listed = Object.fromEntries(rows.map(([, code, meaning]) => [code, meaning]));
    expect(listed).to.deep.equal(errorCodes);
  });
});
