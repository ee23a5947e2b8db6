#!/usr/bin/env node
/** The command line: `fused-adamw <command>`. */

import { Command } from "commander";
import { commands } from "./commands.js";
import { failureOf } from "./exit.js";
import { packageVersion } from "./package.js";
import { endWithClosedPipe, note, paint } from "./terminal.js";

const args = process.argv.slice(2);

/** A mistake in the command line, and where the right one is explained. */
function errorWriter(help: string) {
  return (text: string, write: (text: string) => void) => write(`${text.trimEnd()}\nSee ${help}\n`);
}

async function buildProgram(): Promise<Command> {
  const program = new Command("fused-adamw")
    .description("Benchmarks, checks and tools of fused-adamw, the fused AdamW step for Node.js.")
    .version(packageVersion)
    .showHelpAfterError(false)
    .showSuggestionAfterError()
    .configureHelp({ styleTitle: (title) => paint("bold", title), minWidthToWrap: 10 })
    .configureOutput({ outputError: errorWriter("fused-adamw --help") })
    .exitOverride();
  for (const { name, summary, load } of commands) {
    const command = program
      .command(name)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .summary(summary);
    command.configureOutput({ outputError: errorWriter(`fused-adamw ${name} --help`) });
    if (args.includes(name)) (await load()).define(command);
    command.option("--json", "print one JSON document to stdout");
  }
  return program;
}

endWithClosedPipe();
try {
  const program = await buildProgram();
  if (args.length === 0) program.outputHelp();
  else await program.parseAsync(args, { from: "user" });
} catch (error) {
  const { exitCode, code, message } = failureOf(error);
  if (message !== "") {
    if (args.includes("--json")) note(JSON.stringify({ error: { code, message } }));
    else note(`${paint("red", "error:", process.stderr)} ${message}`);
  }
  // Not process.exit(): what was written to a pipe must still arrive.
  process.exitCode = exitCode;
}
