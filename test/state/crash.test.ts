import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { Dice } from "./mutations.js";
import { temporaryFolder } from "./temporary.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const child = fileURLToPath(new URL("./crash-child.mjs", import.meta.url));
/** Where git ignores it and the addon and the packages are found. */
const compiled = `${root}build-crash-test/lib`;
const library = `${compiled}/index.js`;
const modes = ["file", "stream", "keep", "folder"];
const killsPerMode = 50;

function checkpoint() {
  const optimizer = new AdamW();
  return optimizer.build([
    { name: "a", value: new Float32Array(200_000) },
    { name: "b", value: new Float32Array(3) },
  ]);
}

/** The messages of a child until it exits. */
function messagesOf(process: ChildProcess): { saved: number; failures: { failed: string; message: string }[] } {
  const seen = { saved: 0, failures: [] as { failed: string; message: string }[] };
  process.on("message", (message: { saved?: number; failed?: string; message?: string }) => {
    if (message.saved) seen.saved = message.saved;
    if (message.failed) seen.failures.push({ failed: message.failed, message: message.message ?? "" });
  });
  return seen;
}

describe("a save that is interrupted", () => {
  const file = temporaryFolder();
  const addon = process.env.FUSED_ADAMW_BINDING ?? `${root}build/Release/fused_adamw.node`;
  const env = { ...process.env, FUSED_ADAMW_BINDING: addon };
  const options = {
    env,
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"] as ("ignore" | "inherit" | "ipc")[],
  };

  before(function () {
    this.timeout(60_000);
    const tsc = createRequire(import.meta.url)
      .resolve("typescript/package.json")
      .replace("package.json", "bin/tsc");
    execFileSync(process.execPath, [tsc, "-p", `${root}tsconfig.build.json`, "--outDir", compiled]);
  });
  after(() => rmSync(`${root}build-crash-test`, { recursive: true, force: true }));

  it(`by kill -9 leaves the old or the new checkpoint, whole: ${modes.length} x ${killsPerMode} times`, async function () {
    this.timeout(600_000);
    await Promise.all(modes.map((mode, i) => killAgainAndAgain(mode, new Dice(i + 1))));
  });

  async function killAgainAndAgain(mode: string, dice: Dice): Promise<void> {
    const path = file(mode);
    let known = 0;
    for (let kill = 0; kill < killsPerMode; kill += 1) {
      const saver = fork(child, [library, path, mode], options);
      const seen = messagesOf(saver);
      await once(saver, "message");
      // However slow the disk, some of the saves are complete; the others are killed at any moment.
      if (kill % 5 === 0) await once(saver, "message");
      await new Promise((resolve) => setTimeout(resolve, dice.below(80)));
      saver.kill("SIGKILL");
      await once(saver, "exit");
      known = Math.max(known, seen.saved);
      const optimizer = checkpoint();
      const loaded = await optimizer.load(path).catch((error) => {
        // Before the first save is complete there is nothing, or a folder without an index.
        if (known === 0 && error.code === "FILE") return null;
        throw error;
      });
      expect(optimizer.iterations, `${mode} after kill ${kill}`).to.be.at.least(known);
      if (loaded !== null) expect(loaded.loaded).to.have.length(6);
      known = optimizer.iterations;
    }
    expect(known, mode).to.be.at.least(killsPerMode / 5);
  }

  it("by a disk that is full leaves the old checkpoint", async function () {
    const disk = file("disk");
    mkdirSync(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2500k", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      console.log("      skipped: mounting a small file system is not allowed here");
      this.skip();
    }
    try {
      // One checkpoint of 1.6 MB has room; the next would need as much again.
      await runLimited(() => fork(child, [library, `${disk}/a`, "file"], options), `${disk}/a`, "ENOSPC");
      expect(readdirSync(disk)).to.deep.equal(["a"]);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  it("by the largest file a process may write leaves the old checkpoint, and shards still fit", async function () {
    if (process.platform === "win32") {
      console.log("      skipped: Windows has no limit on the size of a file");
      this.skip();
    }
    const path = file("limited");
    await checkpoint().save(path);
    const limit = 'ulimit -f 1000; exec "$0" "$@"';
    const start = (...args: string[]) =>
      spawn("/bin/sh", ["-c", limit, process.execPath, child, library, ...args], options);
    await runLimited(() => start(path, "file"), path, "EFBIG");
    await checkpoint().load(path);
  });

  /** Runs a saver until it has failed, and finds the old checkpoint whole. */
  async function runLimited(start: () => ChildProcess, path: string, reason: string): Promise<void> {
    const saver = start();
    const seen = messagesOf(saver);
    while (seen.failures.length < 3 && saver.exitCode === null) await once(saver, "message");
    saver.kill("SIGKILL");
    await once(saver, "exit");
    expect(seen.failures[0]).to.have.property("failed", "FILE");
    expect(seen.failures[0]?.message).to.contain(reason);
    const optimizer = checkpoint();
    await optimizer.load(path);
    expect(optimizer.iterations).to.equal(seen.saved);
  }
});
