/**
 * Saves and loads a state of the given number of elements, in so many parameters, in a process of its own, and prints what that took in memory
 * beside the state, and whether everything came back.
 */

import { createHash } from "node:crypto";
import { AdamW } from "../../lib/index.js";

const [path = "", elements = "", count = "1"] = process.argv.slice(2);
const length = Number(elements);
const part = length / Number(count);
const value = new Float32Array(length);
const gradient = new Float32Array(length);
for (let i = 0; i < length; i += 1) gradient[i] = ((i * 7919) % 2003) - 1001;
const optimizer = new AdamW({ formula: "torch", weightDecay: 0 }).build(
  Array.from({ length: Number(count) }, (_, i) => {
    const [begin, end] = [i * part, (i + 1) * part];
    return { name: `w${i}`, value: value.subarray(begin, end), gradient: gradient.subarray(begin, end) };
  }),
);
optimizer.step();

/** The most memory this process has had. Bytes. */
const peak = () => process.resourceUsage().maxRSS * 1024;

function fingerprint(): string {
  const hash = createHash("sha1");
  for (const { value } of optimizer.variables.slice(2)) {
    for (let start = 0; start < value.length; start += 2 ** 24) hash.update(value.subarray(start, start + 2 ** 24));
  }
  return hash.digest("hex");
}

const before = peak();
const { bytes } = await optimizer.save(path, { snapshot: "stream" });
const saved = peak();
await optimizer.load(path);
const loaded = peak();
const expected = fingerprint();
optimizer.step();
const other = fingerprint();
await optimizer.load(path);
const result = { bytes, save: saved - before, load: loaded - saved, returns: fingerprint() === expected };
console.log(JSON.stringify({ ...result, differs: other !== expected }));
