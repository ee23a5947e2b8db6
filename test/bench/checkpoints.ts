/**
 * Saving and loading beside a plain write and read of the same bytes, and steps while a copy is written. Reading is
 * measured twice: from the system's cache of the file, and from the disk.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { median } from "../../lib/cli/statistics.js";
import { AdamW } from "../../lib/index.js";

const { values: options } = parseArgs({
  options: { parameters: { type: "string", default: "25e6" }, rounds: { type: "string", default: "5" } },
});
const length = Number(options.parameters);
const pieceBytes = 2 ** 24;
const folder = mkdtempSync(join(tmpdir(), "fused-adamw-bench-"));
const path = join(folder, "checkpoint.safetensors");

const value = new Float32Array(length).fill(1);
const optimizer = new AdamW().build([{ name: "w", value, gradient: new Float32Array(length).fill(0.5) }]);
optimizer.step();

async function plainWrite(bytes: number): Promise<void> {
  const piece = Buffer.alloc(pieceBytes, 1);
  const file = await open(join(folder, "plain"), "w");
  for (let at = 0; at < bytes; at += pieceBytes) await file.write(piece, 0, Math.min(pieceBytes, bytes - at), at);
  await file.sync();
  await file.close();
}

/** Into one piece again and again, which stays in a cache of the processor, or into memory as large as the file. */
async function plainRead(into: Buffer): Promise<void> {
  const file = await open(path);
  for (let at = 0, read = 1; read > 0; at += pieceBytes) {
    ({ bytesRead: read } = await file.read(into, at % into.length, pieceBytes, at));
  }
  await file.close();
}

/** Makes the system forget what it keeps of the file. */
function forget(): void {
  execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
}

/** Loads into an optimizer that has taken no step, as a program does that resumes. */
async function loadNew(): Promise<number> {
  using target = new AdamW().build([{ name: "w", value }]);
  await setTimeout(50); // in which V8 takes in how much memory that is
  return await seconds(() => target.load(path));
}

async function seconds(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return (performance.now() - start) / 1000;
}

/** Steps per second, alone or until `until` settles. */
async function stepRate(until: Promise<unknown> | undefined): Promise<number> {
  let saving = until !== undefined;
  until?.finally(() => {
    saving = false;
  });
  const start = performance.now();
  let steps = 0;
  while (saving || (until === undefined && steps < 10)) {
    await optimizer.stepAsync();
    steps += 1;
  }
  return steps / ((performance.now() - start) / 1000);
}

const rates: Record<string, number[]> = {};
const record = (name: string, rate: number) => {
  rates[name] ??= [];
  rates[name].push(rate);
};
try {
  const { bytes } = await optimizer.save(path);
  const gigabytes = bytes / 1e9;
  const stalls: number[] = [];
  const piece = Buffer.alloc(pieceBytes, 1);
  const whole = Buffer.alloc(Math.ceil(bytes / pieceBytes + 1) * pieceBytes, 1);
  for (let round = 0; round < Number(options.rounds); round += 1) {
    record("plain write, GB/s", gigabytes / (await seconds(() => plainWrite(bytes))));
    record(
      "save, copy, GB/s",
      gigabytes / (await seconds(async () => stalls.push((await optimizer.save(path)).stallMs))),
    );
    record("save, stream, GB/s", gigabytes / (await seconds(() => optimizer.save(path, { snapshot: "stream" }))));
    for (const place of ["cache", "disk"]) {
      const ready = place === "disk" ? forget : () => {};
      const name = (what: string) => `${what} from ${place}, GB/s`;
      ready();
      record(name("plain read"), gigabytes / (await seconds(() => plainRead(piece))));
      ready();
      record(name("plain read, all"), gigabytes / (await seconds(() => plainRead(whole))));
      ready();
      record(name("load, new"), gigabytes / (await loadNew()));
      ready();
      record(name("load, used"), gigabytes / (await seconds(() => optimizer.load(path))));
    }
    record("steps/s", await stepRate(undefined));
    record("steps/s while saving", await stepRate(optimizer.save(path)));
  }
  console.log(`${bytes} bytes, median of ${options.rounds} rounds, stall of a copy ${median(stalls).toFixed(0)} ms`);
  for (const [name, list] of Object.entries(rates)) console.log(`${name.padEnd(34)}${median(list).toFixed(2)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
