/** Errors of checkpoint files: which file, and where in it. */

import { existsSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import type { StopSignal } from "../abort-signal.js";
import { AdamWError } from "../errors.js";

/** A place in a file: a byte offset, a key of its header, or the name of a tensor. */
export interface Place {
  readonly offset?: number;
  readonly key?: string;
}

/** A file that is damaged, incomplete, or not what it is taken for. */
export class CheckpointError extends AdamWError {
  readonly path: string;
  /** The byte of the file where the damage shows, when it has one place. */
  readonly offset: number | undefined;
  /** The key or tensor it is about. */
  readonly key: string | undefined;

  constructor(path: string, problem: string, { offset, key }: Place = {}, options?: ErrorOptions) {
    const at = offset === undefined ? "" : ` at byte ${offset}`;
    const of = key === undefined ? "" : ` ${JSON.stringify(key.length > 200 ? `${key.slice(0, 200)}…` : key)}`;
    super("CHECKPOINT", `${path}${at}${of}: ${problem}`, options);
    this.path = path;
    this.offset = offset;
    this.key = key;
  }
}

/** A file that can be read once somebody says what it leaves out. */
export class UnsaidError extends CheckpointError {
  readonly unsaid: "names" | "options";
  /** The message without what a program would do about it. */
  readonly problem: string;

  constructor(path: string, unsaid: UnsaidError["unsaid"], problem: string, remedy?: string) {
    super(path, remedy === undefined ? problem : `${problem}; ${remedy}`);
    this.unsaid = unsaid;
    this.problem = `${path}: ${problem}`;
  }
}

/** What was said in place of the file does not fit it: the names, or the options by which they are counted. */
export class WronglySaidError extends CheckpointError {}

/**
 * What the operating system said about the file at `path`, as an error of this package; any other error stays what it
 * is.
 */
export function fileError(path: string, error: unknown): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new AdamWError("FILE", `${path}: ${explain(path, error as NodeJS.ErrnoException)}`, { cause: error });
}

/** Node's message without the call and the paths at its end, which may be those of a temporary file. */
function explain(path: string, error: NodeJS.ErrnoException): string {
  const said = error.message.replace(/, \w+(?: '.*')?$/s, "");
  const folder = dirname(resolve(path));
  if (error.code === "EISDIR") return "it is a folder";
  if (error.syscall === "mkdir" && error.path !== undefined && (isRefusal(error) || error.code === "ENOENT")) {
    // Where a system has no folders to make, as in /proc, it says that the new one does not exist.
    const refusal = error.code === "ENOENT" ? "" : `${said}: `;
    return `${refusal}no folder can be made in ${dirname(resolve(error.path))}`;
  }
  if (error.code === "ENOENT") {
    if (!existsSync(folder)) return `the folder ${folder} does not exist`;
    return `there is no such file or folder${isAbsolute(path) ? "" : `, looked for at ${resolve(path)}`}`;
  }
  // A file is written under another name, in the folder of the one that is meant.
  const isBeside = error.path !== undefined && resolve(error.path) !== resolve(path);
  return isBeside && isRefusal(error) ? `${said}: no file can be written in the folder ${folder}` : said;
}

const isRefusal = ({ code = "" }: NodeJS.ErrnoException) => ["EACCES", "EPERM", "EROFS"].includes(code);

/** Whether a failure is that of a file that is not there. */
export function isMissing(error: unknown): boolean {
  const cause = error instanceof AdamWError && error.code === "FILE" ? error.cause : error;
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}

/** @throws ABORTED once the signal was given */
export function checkSignal(signal: StopSignal | undefined, what: string): void {
  if (signal?.aborted) throw new AdamWError("ABORTED", `${what} was stopped`, { cause: signal.reason });
}
