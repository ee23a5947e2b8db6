/** Options of the optimizer as they are typed: `amsgrad,globalClipnorm=1`, or a JSON configuration. */

import { readFileSync } from "node:fs";
import { configToOptions } from "../config.js";
import { kerasOptimizers } from "../keras-object.js";
import { type AdamWOptions, optionFields, resolveOptions } from "../options.js";
import { asAdamW } from "../state/keras-files.js";
import { isRecord, parseRecord } from "../validate.js";
import { CommandError } from "./exit.js";
import { optionRows } from "./option-rows.js";

export interface OptionSet {
  /** As it was asked for. */
  readonly label: string;
  readonly options: AdamWOptions;
}

export const defaultOptions: OptionSet = { label: "default", options: {} };

const adamW = { module: kerasOptimizers, class_name: "AdamW", registered_name: null };

/** For help texts. */
export const optionSyntax = "options as in JavaScript, such as amsgrad,clipnorm=1, or default";

/** Commas inside brackets and strings belong to the value; a new option starts with its name. */
const separator = /,(?=\s*[A-Za-z]\w*\s*(?:=|,|$))/;

/** @throws CommandError, AdamWError INVALID_ARGUMENT for what the constructor would not take */
export function parseOptionSet(text: string): OptionSet {
  if (text.trim() === "default") return defaultOptions;
  const entries = text.split(separator).map((part) => {
    const [name = "", ...rest] = part.split("=");
    return [name.trim(), rest.length === 0 ? true : parseValue(rest.join("="))] as const;
  });
  const unknown = entries.filter(([name]) => !isRead(name));
  parseRecord(Object.fromEntries(unknown), "the options", Object.keys(optionFields));
  return checked(text, Object.fromEntries(entries));
}

/** JSON's names are read too, but what is typed is JavaScript's: an error lists those alone. */
function isRead(name: string): boolean {
  return Object.hasOwn(optionFields, name) || Object.values(optionFields).some(({ key }) => key === name);
}

/** Keras' configuration or ours: what getConfig() or serialize() wrote, or options by their JavaScript names. */
export function readOptionSet(path: string): OptionSet {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandError("usage", `${path} is no JSON: ${error.message}`);
    throw error;
  }
  return checked(path, configIn(json, path));
}

/**
 * The options in the serialized optimizer of a checkpoint. Its rates are left out: they may be classes of the user's
 * own, and no memory depends on them.
 *
 * @throws CommandError, AdamWError INVALID_ARGUMENT
 */
export function optionSetOfFile(optimizer: unknown, path: string): OptionSet {
  const config = configIn(optimizer, path);
  if (!isRecord(config)) return { ...defaultOptions, label: `${defaultOptions.label}: the file does not say any` };
  const { learning_rate: _, weight_decay: __, ...rest } = config;
  const given = optionRows({ ...adamW, config: rest }).map(({ name, value }) => {
    const option = Object.entries(optionFields).find(([, { key }]) => key === name)?.[0] ?? name;
    return value === "true" ? option : `${option}=${value}`;
  });
  return checked(`${given.join(",") || defaultOptions.label}, as the file says`, rest);
}

/** What an envelope holds, a loss scaler's inner optimizer too. */
function configIn(json: unknown, path: string): unknown {
  if (!isRecord(json)) return json;
  if (isRecord(json.inner_optimizer)) return configIn(json.inner_optimizer, path);
  if (!("class_name" in json)) return json;
  const { config } = asAdamW(json, (problem) => new CommandError("usage", `${path}: ${problem}`));
  return isRecord(config) && "inner_optimizer" in config ? configIn(config, path) : config;
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Reads schedules too, then lets the constructor's own check speak. */
function checked(label: string, config: unknown): OptionSet {
  const options = configToOptions(config);
  resolveOptions(options);
  return { label, options };
}
