/** How a command ends: the exit codes, the error of a wrong command line, and what each failure is told as. */

import { CommanderError } from "commander";
import type { ErrorCode } from "../errors.js";

/** Every status the program ends with. */
export const exitCodes = {
  done: 0,
  /**
   * The command worked and the answer is bad: a regression, wrong bits, a result far from the oracle, a damaged file.
   */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** This machine lacks what the command needs: a device, memory, the addon, an optional package, a file. */
  missing: 3,
  /** A bug. */
  internal: 70,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

/** A failure with an exit status of its own; the message is all a user sees. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;
  readonly code: string;

  constructor(
    kind: "failed" | "usage" | "missing" | "interrupted",
    message: string,
    options?: ErrorOptions & { code?: string },
  ) {
    super(message, options);
    this.exitCode = exitCodes[kind];
    this.code = options?.code ?? kind.toUpperCase();
  }
}

/** Ctrl-C came before there was anything to tell. */
export function nothingFinished(): CommandError {
  return new CommandError("interrupted", "Interrupted: nothing was finished");
}

/** A value of the command line that cannot be; `received` is quoted as it was typed. */
export function wrongValue(name: string, expected: string, received: string, similar?: string): CommandError {
  const hint = similar === undefined ? "" : ` (did you mean ${similar}?)`;
  return new CommandError("usage", `Expected ${expected} for ${name} but received "${received}"${hint}`);
}

const codesOfUsers: Partial<Record<ErrorCode, "failed" | "usage" | "missing">> = {
  INVALID_ARGUMENT: "usage",
  NO_DEVICE: "missing",
  NATIVE: "missing",
  OUT_OF_MEMORY: "missing",
  CUDA: "missing",
  CHECKPOINT: "failed",
  FILE: "missing",
  MISSING_PACKAGE: "missing",
};

/** Failures of the file system, said of a path of the user's. */
const fileErrors: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "may not be used by this user",
  EPERM: "may not be used by this user",
  EISDIR: "is a folder",
  ENOTDIR: "is in no folder",
  ENOSPC: "does not fit onto its disk",
  EROFS: "is on a disk that cannot be written to",
};

export interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
}

/** What a thrown value means to the user: a bug keeps its stack, everything else is one message. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CommandError) return error;
  // Commander has written its own message, or the help, when it throws.
  if (error instanceof CommanderError) {
    return { exitCode: error.exitCode === 0 ? exitCodes.done : exitCodes.usage, code: "USAGE", message: "" };
  }
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const kind = codesOfUsers[error.code as ErrorCode];
    if (kind) return { exitCode: exitCodes[kind], code: error.code, message: error.message };
    const problem = fileErrors[error.code];
    if (problem) {
      const { path = "a file", code } = error as NodeJS.ErrnoException & { code: string };
      return { exitCode: exitCodes.missing, code, message: `${path} ${problem}` };
    }
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitCode: exitCodes.internal, code: "INTERNAL", message: `This is a bug in fused-adamw.\n${message}` };
}
