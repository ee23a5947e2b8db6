/** The command line: one row per option. */

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { trainingDigits } from "../../lib/cli/train/digits.js";
import { type BackendName, backendNames } from "../../lib/cli/train/settings.js";

/** A mistake of the caller: shown with the usage, without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

interface Option<T> {
  readonly default: T;
  readonly help: string;
  readonly expected: string;
  /** Undefined when the text is not what is expected. */
  parse(text: string): T | undefined;
}

function integer(least: number, most: number): Pick<Option<number>, "expected" | "parse"> {
  return {
    expected: `an integer from ${least} to ${most}`,
    parse: (text) => (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : undefined),
  };
}

function oneOf<T extends string>(names: readonly T[]): Pick<Option<T>, "expected" | "parse"> {
  return { expected: names.join(" or "), parse: (text) => names.find((name) => name === text) };
}

function option<T>(initial: T, help: string, rule: Pick<Option<T>, "expected" | "parse">): Option<T> {
  return { default: initial, help, ...rule };
}

const positive: Pick<Option<number>, "expected" | "parse"> = {
  expected: "a number > 0",
  parse: (text) =>
    text.trim() !== "" && Number(text) > 0 && Number(text) < Number.POSITIVE_INFINITY ? Number(text) : undefined,
};

const path: Pick<Option<string>, "expected" | "parse"> = {
  expected: "a path that ends in .svg",
  parse: (text) => (text.endsWith(".svg") ? text : undefined),
};

const picture = relative(process.cwd(), fileURLToPath(new URL("output/loss.svg", import.meta.url)));

const table = {
  epochs: option(8, "times that every training digit is seen", integer(1, 1000)),
  batch: option(64, "digits per step", integer(1, trainingDigits)),
  backend: option<BackendName>("wasm", "backend of TensorFlow.js; cpu takes minutes", oneOf(backendNames)),
  seed: option(1, "of the initial weights and the order of the digits", integer(0, 2 ** 32 - 1)),
  "learning-rate": option(1e-3, "of Adam; a schedule peaks at five times as much", positive),
  train: option(trainingDigits, "how many of the training digits to use", integer(10, trainingDigits)),
  output: option(picture, "where the picture goes", path),
};

/** The value of every option. */
export type Options = { readonly [Name in keyof typeof table]: (typeof table)[Name]["default"] };

const rows: [string, Option<unknown>][] = Object.entries(table);

export const usage = [
  "Usage: npm start -- [options]",
  "",
  "Trains a classifier of handwritten digits three times: with tf.train.adam, with AdamW set to do",
  "the same, and with AdamW's own options. Compares them in a table and a picture.",
  "",
  ...rows.map(([name, { help, default: initial }]) => `  --${name.padEnd(15)}${help} (default ${initial})`),
  `  --${"help".padEnd(15)}shows this`,
].join("\n");

/**
 * Undefined when help is asked for.
 *
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const values = split(args);
  if (values.help) return undefined;
  const read = rows.map(([name, { default: initial, expected, parse }]) => {
    const text = values[name];
    if (typeof text !== "string") return [name, initial];
    const value = parse(text);
    if (value === undefined) throw new UsageError(`Expected ${expected} for --${name} but received "${text}"`);
    return [name, value];
  });
  return Object.fromEntries(read) as Options;
}

function split(args: readonly string[]): Record<string, string | boolean | undefined> {
  const known = Object.fromEntries(rows.map(([name]) => [name, { type: "string" as const }]));
  try {
    return parseArgs({ args: [...args], options: { ...known, help: { type: "boolean" } }, strict: true }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
