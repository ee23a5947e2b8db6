/** Runs the command line as a user would: through a pipe, or in a terminal of a given width. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
export const command = [process.execPath, main];

/** The environment of the child: nothing of the test run's own that would change colours. */
function environment(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NO_COLOR, FORCE_COLOR, CI, NODE_OPTIONS, ...rest } = process.env;
  return { ...rest, ...own };
}

/** Through pipes. */
export async function cli(args: readonly string[], own: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = spawn(command[0]!, [...command.slice(1), ...args], { env: environment(own) });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
    });
  }
  const [status] = (await once(child, "close")) as [number | null];
  return { status, ...text };
}

/** What `--json` prints. */
export async function cliJson<T>(...args: string[]): Promise<T> {
  const { status, stdout, stderr } = await cli([...args, "--json"]);
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** With a reader that closes the pipe before anything is written. */
export async function cliWithClosedPipe(args: readonly string[]): Promise<Outcome> {
  const child = spawn(command[0]!, [...command.slice(1), ...args], { env: environment({}) });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout: "", stderr };
}

/** Why no terminal can be made here; undefined when one can. */
export const noTerminal: string | undefined = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout?.includes(
  "util-linux",
)
  ? undefined
  : "script of util-linux is not installed";

/** As soon as the screen shows `when`. */
export interface KeyPress {
  readonly when: string | RegExp;
  readonly keys: string;
}

export const controlC = "\x03";

/** In a pseudo terminal; stdout and stderr arrive together, as a person sees them. */
export async function cliInTerminal(
  args: readonly string[],
  width = 80,
  own: NodeJS.ProcessEnv = {},
  press?: KeyPress,
): Promise<{ status: number | null; screen: string }> {
  const quoted = [...command, ...args].map((word) => `'${word}'`).join(" ");
  const line = `stty cols ${width} rows 40; exec ${quoted}`;
  const env = { ...environment(own), TERM: "xterm-256color" };
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], { env });
  let screen = "";
  let pressed = press === undefined;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    screen += chunk;
    if (pressed || screen.search(press!.when) < 0) return;
    pressed = true;
    child.stdin.write(press!.keys);
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status, screen: screen.replaceAll("\r\n", "\n") };
}

const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, "g");

export function withoutEscapes(text: string): string {
  return text.replaceAll(escapes, "");
}

/** Whether the terminal is left as it was found: the cursor shown, long lines broken. */
export function isGivenBack(screen: string): boolean {
  return ["?25", "?7"].every((mode) => screen.lastIndexOf(`${mode}h`) >= screen.lastIndexOf(`${mode}l`));
}

export function hasEscapes(text: string): boolean {
  return withoutEscapes(text) !== text;
}

export function longestLine(text: string): number {
  return Math.max(
    ...withoutEscapes(text)
      .split("\n")
      .map((line) => line.length),
  );
}
