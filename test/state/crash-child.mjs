// Saves again and again until it is killed, and says which saves are complete. Plain JavaScript over compiled code, so
// that hundreds of these start fast.
const [library, path, mode] = process.argv.slice(2);
const { AdamW } = await import(library);

const length = 200_000;
const value = new Float32Array(length).fill(1);
const gradient = new Float32Array(length).fill(0.5);
const optimizer = new AdamW({ formula: "torch", weightDecay: 0 }, { threads: 1 }).build([
  { name: "a", value, gradient },
  { name: "b", value: new Float32Array(3), gradient: new Float32Array(3).fill(1) },
]);
const modes = {
  file: {},
  stream: { snapshot: "stream" },
  keep: { keep: 2 },
  folder: { shardBytes: 1_000_000 },
  tfjs: { format: "tfjs", shardBytes: 1_000_000 },
};
await optimizer.load(path).catch(() => undefined);
process.send({ ready: true });
// After the third failure it rests, so that whoever kills it then does not interrupt a fourth save.
for (let failures = 0; failures < 3; ) {
  optimizer.step();
  try {
    await optimizer.save(path, modes[mode]);
    process.send({ saved: optimizer.iterations });
  } catch (error) {
    failures += 1;
    process.send({ failed: error.code, message: error.message });
  }
}
setInterval(() => {}, 1000);
