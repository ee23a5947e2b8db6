import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { temporaryFolder } from "../../temporary.js";

const script = fileURLToPath(new URL("../../../lib/cli/bench/worker.ts", import.meta.url));

/** A build whose "device" tells which addons its process has loaded. */
const spy = `
export class AdamW {
  static fromConfig() { return new AdamW(); }
  build() { return this; }
  step() {}
  synchronize() {}
  dispose() {}
  get device() {
    return process.report.getReport().sharedObjects.filter((file) => file.endsWith("fused_adamw.node")).join();
  }
}`;

describe("the process of a build", () => {
  it("that cannot be loaded says why, and nothing else", async () => {
    const index = temporaryFolder()("index.mjs");
    writeFileSync(index, 'throw new Error("no addon");');
    const child = fork(script, [index], { execArgv: ["--import=tsx"], stdio: ["ignore", "ignore", "pipe", "ipc"] });
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    try {
      expect((await once(child, "message"))[0]).to.deep.equal({ error: "no addon" });
    } finally {
      child.kill();
    }
    await once(child, "close");
    expect(complaint).to.equal("");
  });

  it("loads no other build's library: with two a process is slower", async () => {
    const index = temporaryFolder()("index.mjs");
    writeFileSync(index, spy);
    const child = fork(script, [index], { execArgv: ["--import=tsx"] });
    try {
      expect((await once(child, "message"))[0]).to.deep.equal({ answer: "ready" });
      const parameters = [{ name: "p", shape: [10] }];
      child.send({ build: { parameters, config: {}, device: "cpu", threads: 1 } });
      expect((await once(child, "message"))[0]).to.deep.equal({ answer: "" });
    } finally {
      child.kill();
    }
  });
});
