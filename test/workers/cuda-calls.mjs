// Steps on a GPU between two marks, for cuda-calls.test.ts to count the calls of CUDA's runtime there: GPT-2's 148
// tensors, divided by 64, with odd remainders. The marks are the only streams that are created.
import { AdamW, openDevice } from "../../dist/index.js";

const [mode = "bound"] = process.argv.slice(2);
const width = 768;
const block = [width, width, 3 * width * width, 3 * width, width * width, width].concat([
  width,
  width,
  4 * width * width,
  4 * width,
  4 * width * width,
  width,
]);
const whole = [50257 * width, 1024 * width, ...Array.from({ length: 12 }, () => block).flat(), width, width];
const lengths = whole.map((length, i) => Math.ceil(length / 64) + (i % 4));

const device = openDevice("cuda");
const stream = device.createStream();
const make = (length) => device.allocate("float32", length, { stream }).fill(0.01);
const gradients = [1, 2].map(() => lengths.map(make));
const optimizer = new AdamW({ globalClipnorm: 1, useEma: true }, { stream });
optimizer.build(lengths.map((length, i) => ({ name: `p${i}`, value: make(length), gradient: gradients[0][i] })));
const graph = mode === "graph" ? stream.capture(() => optimizer.step()) : undefined;

function step(index) {
  if (graph) graph.launch();
  else if (mode === "passed") optimizer.apply(gradients[index % 2]);
  else optimizer.step();
}

for (let i = 0; i < 3; i += 1) step(i);
device.createStream();
for (let i = 3; i < 7; i += 1) step(i);
device.createStream();
console.log(`${lengths.length} tensors, ${optimizer.iterations} iterations`);
