/**
 * Loads a state whose tensors are transposed, of the given number of rows and columns, in a process of its own, and
 * prints what that took in memory beside the state, and whether every element came to its place.
 */

import { AdamW } from "../../lib/index.js";
import type { Tensor } from "../../lib/state/checkpoint.js";
import { PickleApply, PickleName, PicklePersistent, PickleTuple, writePickle } from "../../lib/state/pickle-writer.js";
import { writeZip } from "../../lib/state/zip-writer.js";

const [path = "", ...extents] = process.argv.slice(2);
const [rows = 0, columns = 0] = extents.map(Number);
const length = rows * columns;

/** Element `at` of a storage is its place there: exact, and different for each. */
const storage: Tensor = {
  name: "storage",
  dtype: "F32",
  shape: [length],
  byteLength: 4 * length,
  read(start, into) {
    new Float32Array(into.buffer, into.byteOffset, into.length / 4).forEach((_, i, all) => {
      all[i] = start / 4 + i;
    });
  },
};

function tensor(key: number): PickleApply {
  const id = new PicklePersistent("storage", new PickleName("torch", "FloatStorage"), String(key), "cpu", length);
  const [shape, strides] = [new PickleTuple(rows, columns), new PickleTuple(1, rows)];
  const hooks = new PickleApply(new PickleName("collections", "OrderedDict"));
  return new PickleApply(new PickleName("torch._utils", "_rebuild_tensor_v2"), id, 0, shape, strides, false, hooks);
}

const slots = new Map<string, unknown>([
  ["step", 1],
  ["exp_avg", tensor(0)],
  ["exp_avg_sq", tensor(1)],
]);
const group = new Map<string, unknown>([
  ["params", [0]],
  ["param_names", ["w"]],
]);
const root = new Map<string, unknown>([
  ["state", new Map([[0, slots]])],
  ["param_groups", [group]],
]);
const contents = [
  { name: "archive/data.pkl", data: writePickle(root) },
  { name: "archive/data/0", data: storage },
  { name: "archive/data/1", data: storage },
];
await writeZip(path, contents, {});

/** The most memory this process has had. Bytes. */
const peak = () => process.resourceUsage().maxRSS * 1024;

const optimizer = new AdamW({ formula: "torch" });
optimizer.build([{ name: "w", shape: [rows, columns], value: new Float32Array(length) }]);
optimizer.apply([new Float32Array(length)]);
const before = peak();
await optimizer.load(path, { config: "keep" });
const load = peak() - before;
let wrong = 0;
for (const { value } of optimizer.variables.slice(2, 4)) {
  for (let at = 0; at < length; at += 1) {
    const [row, column] = [Math.floor(at / columns), at % columns];
    if (value[at] !== column * rows + row) wrong += 1;
  }
}
console.log(JSON.stringify({ load, wrong }));
