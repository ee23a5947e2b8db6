import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { AdamW } from "../../lib/index.js";
import { temporaryFolder } from "../temporary.js";
import { Dice } from "./mutations.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const child = fileURLToPath(new URL("./crash-child.mjs", import.meta.url));
const modes = ["file", "stream", "keep", "folder", "tfjs"];
const killsPerMode = 50;

function checkpoint() {
  const optimizer = new AdamW({ formula: "torch", weightDecay: 0 });
  return optimizer.build([
    { name: "a", value: new Float32Array(200_000) },
    { name: "b", value: new Float32Array(3) },
  ]);
}

interface Seen {
  messages: number;
  /** Iterations of the newest save that is complete. */
  saved: number;
  readonly failures: { readonly failed: string; readonly message: string }[];
}

/** The messages of a child until it exits. */
function messagesOf(saver: ChildProcess): Seen {
  const seen: Seen = { messages: 0, saved: 0, failures: [] };
  saver.on("message", (message: { saved?: number; failed?: string; message?: string }) => {
    seen.messages += 1;
    if (message.saved) seen.saved = message.saved;
    if (message.failed) seen.failures.push({ failed: message.failed, message: message.message ?? "" });
  });
  return seen;
}

/** Waits for messages until there are enough. @throws when the child ends before */
function until(saver: ChildProcess, enough: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      saver.off("message", onMessage).off("exit", onExit).off("error", onExit);
      act();
    };
    const onMessage = () => {
      if (enough()) end(resolve);
    };
    const onExit = (reason: unknown) =>
      end(() => reject(new Error(`The saver ended before its time: ${reason ?? saver.signalCode}`)));
    saver.on("message", onMessage).on("exit", onExit).on("error", onExit);
    if (saver.exitCode !== null || saver.signalCode !== null) onExit(saver.exitCode);
    else onMessage();
  });
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

  /** Compiled for this run alone, where git ignores it and the addon and the packages are found. */
  let build = "";
  let library = "";

  before(function () {
    this.timeout(60_000);
    build = mkdtempSync(`${root}build-crash-test-`);
    library = `${build}/lib/index.js`;
    const tsc = createRequire(import.meta.url)
      .resolve("typescript/package.json")
      .replace("package.json", "bin/tsc");
    execFileSync(process.execPath, [tsc, "-p", `${root}tsconfig.build.json`, "--outDir", `${build}/lib`]);
  });
  after(() => rmSync(build, { recursive: true, force: true }));

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
      const exited = once(saver, "exit");
      // However slow the disk, some of the saves are complete; the others are killed at any moment.
      await until(saver, () => seen.messages >= (kill % 5 === 0 ? 2 : 1));
      await new Promise((resolve) => setTimeout(resolve, dice.below(80)));
      saver.kill("SIGKILL");
      expect(await exited, `${mode}, kill ${kill}`).to.deep.equal([null, "SIGKILL"]);
      known = Math.max(known, seen.saved);
      const optimizer = checkpoint();
      const loaded = await optimizer.load(path).catch((error) => {
        // Before the first save is complete there is nothing, or a folder without an index.
        if (known === 0 && (error.code === "FILE" || /never finished/.test(error.message))) return null;
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
    const exited = once(saver, "exit");
    await until(saver, () => seen.failures.length >= 3);
    saver.kill("SIGKILL");
    expect(await exited).to.deep.equal([null, "SIGKILL"]);
    expect(seen.failures[0]).to.have.property("failed", "FILE");
    expect(seen.failures[0]?.message).to.contain(reason);
    const optimizer = checkpoint();
    await optimizer.load(path);
    expect(optimizer.iterations).to.equal(seen.saved);
  }
});
