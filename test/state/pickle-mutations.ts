/** Pickles that nobody would write: any order of operations, values that many others share, nested in each other. */

import { storageTypes } from "../../lib/state/torch-tensors.js";
import type { Dice } from "./mutations.js";

const words = ["state", "param_groups", "params", "param_names", "lr", "betas", "weight_decay", "step", "exp_avg", "w"];
const notes = ["fused_adamw_steps", "fused_adamw_updates", "fused_adamw_metadata", "fused_adamw_loss_scale"];
const globals = [
  "collections\nOrderedDict",
  "torch._utils\n_rebuild_tensor_v2",
  "torch._utils\n_rebuild_parameter",
  "builtins\neval",
  ...Object.keys(storageTypes).map((name) => `torch\n${name}`),
];

const code = (letters: string) => Buffer.from(letters, "latin1");

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([0x8c, value.length]), code(value)]);
}

/** A value, and how many values it has remembered. */
type Made = readonly [Buffer, number];

/** One value, which may hold earlier ones; `known` are remembered. */
function value(dice: Dice, depth: number, known: number): Made {
  const leaf = () =>
    dice.one([
      () => code("N"),
      () => Buffer.from([0x4b, dice.below(4)]),
      () => Buffer.from([0x47, 0x3f, 0xf0, dice.below(256), 0, 0, 0, 0, 0]),
      () => text(dice.one(words)),
      () => (known > 0 ? Buffer.from([0x68, dice.below(Math.min(known, 256))]) : code("]")),
    ])();
  if (depth === 0 || dice.below(3) === 0) return [leaf(), 0];
  const parts: Buffer[] = [];
  let made = 0;
  const inner = () => {
    const [bytes, more] = value(dice, depth - 1, known + made);
    parts.push(bytes);
    made += more;
  };
  const several = (open: string, count: number, close: string) => {
    parts.push(code(open));
    for (let i = 0; i < count; i += 1) inner();
    parts.push(code(close));
  };
  dice.one([
    () => several("](", dice.below(6), "e"),
    () => several("(", dice.below(6), "t"),
    () => several("}(", 2 * dice.below(4), "u"),
    () => several("", 1, "Q"),
    () => several("", 2, "\x86"),
    () => several(`c${dice.one(globals)}\n`, 1, "R"),
    () => several("}", 1, "b"),
  ])();
  if (known + made < 256) {
    parts.push(Buffer.from([0x71, known + made]));
    made += 1;
  }
  return [Buffer.concat(parts), made];
}

/** Lists of which each holds the one before many times. */
function shared(dice: Dice): Made {
  const levels = 1 + dice.below(60);
  const times = 1 + dice.below(20);
  const parts: Buffer[] = [code("(]q\0")];
  for (let i = 0; i < levels; i += 1)
    parts.push(code("]("), Buffer.alloc(2 * times, Buffer.from([0x68, i])), code("eq"), Buffer.from([i + 1]));
  return [Buffer.concat([...parts, code("t")]), levels + 1];
}

/** Tuples in tuples. */
function deep(dice: Dice): Made {
  return [Buffer.concat([code("N"), Buffer.alloc(dice.below(2000), 0x85)]), 0];
}

/** A whole pickle; half of them have the keys of a state_dict. */
export function madeUp(dice: Dice): Buffer {
  const parts: Buffer[] = [Buffer.from([0x80, 2])];
  let known = 0;
  const put = () => {
    const make = dice.one([shared, deep, value, value, value, value]);
    // What is shared remembers from 0 on.
    const [bytes, made] = make === shared && known > 0 ? deep(dice) : make(dice, 1 + dice.below(5), known);
    parts.push(bytes);
    known += made;
  };
  if (dice.below(2) === 0) put();
  else {
    parts.push(code("}("), text("state"));
    if (dice.below(2) === 0) parts.push(code("}"));
    else put();
    parts.push(text("param_groups"), code("]("));
    for (let group = dice.below(3); group >= 0; group -= 1) {
      parts.push(code("}("), text("params"), code(`](K${String.fromCharCode(group)}e`));
      const keys = [...words, ...notes].filter(() => dice.below(6) === 0);
      for (const key of keys) {
        parts.push(text(key));
        put();
      }
      parts.push(code("u"));
    }
    parts.push(code("eu"));
  }
  parts.push(code("."));
  return Buffer.concat(parts);
}
