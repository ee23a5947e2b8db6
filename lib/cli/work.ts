/** What an optimizer is to work on: a number of parameters, a model by name, tensors, or the shapes of a file. */

import { closest } from "../spelling.js";
import { CommandError, wrongValue } from "./exit.js";
import { formatCount } from "./format.js";
import { models, type ShapedParameter } from "./models.js";
import { parseCount, sizeExamples } from "./numbers.js";
import { readSafetensorsShapes, type ShapesOfFile } from "./safetensors-shapes.js";

export interface Work {
  /** As it was asked for: "gpt2-124m@1/8". */
  readonly label: string;
  readonly parameters: readonly ShapedParameter[];
  /** Elements of all parameters. */
  readonly elements: number;
  /** Of a checkpoint: its serialized optimizer. */
  readonly optimizer?: unknown;
}

/** For help texts. */
export const workSyntax = `a number (1e8, 124M), TENSORSxLENGTH (200x1000), FILE.safetensors, or a model: ${Object.keys(models).join(", ")}; MODEL@1/8 is an eighth of it`;

/** @throws CommandError */
export function parseWork(text: string): Work {
  const [name, share] = splitShare(text);
  const { parameters: whole, optimizer } = shapesOf(name);
  const parameters = cut(whole, share);
  const elements = parameters.reduce((sum, { shape }) => sum + product(shape), 0);
  if (elements === 0) throw new CommandError("usage", `${text} has no parameters`);
  return { label: text, parameters, elements, optimizer };
}

export function workOfCount(count: number): Work {
  const parameters = [{ name: "parameters", shape: [count] }];
  return { label: formatCount(count), parameters, elements: count };
}

export function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function splitShare(text: string): [name: string, share: number] {
  const match = /^(.+)@(?:1\/(\d+)|(0?\.\d+|1))$/.exec(text);
  if (!match) {
    if (text.includes("@")) throw wrongValue("the work", "MODEL@1/8 or MODEL@0.125", text);
    return [text, 1];
  }
  const share = match[2] === undefined ? Number(match[3]) : 1 / Number(match[2]);
  if (!(share > 0 && share <= 1)) throw wrongValue("the work", "a fraction above 0 and up to 1", text);
  return [match[1]!, share];
}

/** Every tensor cut along its first axis, so that a part keeps the whole's number of tensors and mix of sizes. */
function cut(parameters: ShapedParameter[], share: number): ShapedParameter[] {
  if (share === 1) return parameters;
  return parameters.map(({ name, shape: [first = 1, ...rest] }) => ({
    name,
    shape: [Math.max(1, Math.round(first * share)), ...rest],
  }));
}

function shapesOf(name: string): ShapesOfFile {
  if (name.endsWith(".safetensors")) return readSafetensorsShapes(name);
  return { parameters: shapesByName(name) };
}

function shapesByName(name: string): ShapedParameter[] {
  const model = models[name.toLowerCase()];
  if (model) return [...model()];
  const tensors = /^(\d[\d_]*)x(\S+)$/.exec(name);
  const count = (digits: string) => parseCount(digits, "the work", 1, sizeExamples);
  if (tensors) return repeat(count(tensors[1]!), count(tensors[2]!));
  if (/^\d/.test(name)) return [{ name: "parameters", shape: [count(name)] }];
  const similar = closest(name, Object.keys(models));
  throw wrongValue("the work", workSyntax, name, similar);
}

const mostTensors = 1_000_000;

function repeat(tensors: number, length: number): ShapedParameter[] {
  if (tensors > mostTensors) throw wrongValue("the work", `at most ${mostTensors} tensors`, `${tensors}x${length}`);
  return Array.from({ length: tensors }, (_, i) => ({ name: `tensor${i}`, shape: [length] }));
}
