import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";

const library = new URL("../../lib/cli/interrupt.ts", import.meta.url).href;

/** A program with an interrupt; `when` what it says comes, the function acts on its process. */
async function ends(
  program: string,
  when: Readonly<Record<string, (kill: (signal: NodeJS.Signals) => void) => void>> = {},
): Promise<{ status: number | null; signal: NodeJS.Signals | null; said: string }> {
  const script = `import { awaitInterrupt } from ${JSON.stringify(library)};\nconst interrupt = awaitInterrupt();\n${program}`;
  const child = spawn(process.execPath, ["--import=tsx", "--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    for (const word of text.trim().split("\n")) when[word]?.((signal) => child.kill(signal));
  });
  const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { status, signal, said };
}

const forEver = "setInterval(() => {}, 1e6);";

describe("Ctrl-C", () => {
  it("once is told, and the program goes on", async () => {
    const program = `interrupt.signal.addEventListener("abort", () => console.log("told"));
      setTimeout(() => { console.log("end"); }, 500);
      process.kill(process.pid, "SIGINT");`;
    expect(await ends(program)).to.deep.equal({ status: 0, signal: null, said: "told\nend\n" });
  });

  it("twice ends a program that is too busy to hear the second", async () => {
    const program = `${forEver}
      interrupt.signal.addEventListener("abort", () => setTimeout(() => { console.log("busy"); for (;;); }, 100));
      console.log("ready");`;
    const press = (kill: (signal: NodeJS.Signals) => void) => kill("SIGINT");
    const { signal, said } = await ends(program, { ready: press, busy: press });
    expect({ signal, said }).to.deep.equal({ signal: "SIGINT", said: "ready\nbusy\n" });
  });

  it("twice ends a program that was too busy to hear the first", async () => {
    const program = `${forEver} for (const press of [1, 2]) process.kill(process.pid, "SIGINT");`;
    expect((await ends(program)).signal).to.equal("SIGINT");
  });
});
