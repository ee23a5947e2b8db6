/** `bench`: how fast a step is, how far from what the memory allows, and beside whom. */

import { writeFileSync } from "node:fs";
import { type Command, Option } from "commander";
import type { AdamWOptions } from "../../options.js";
import { findBuild } from "../bench/build.js";
import { byteModel } from "../bench/byte-model.js";
import type { OwnSpec } from "../bench/contestant.js";
import { emulatorNote, isEmulated } from "../bench/emulated.js";
import { type FormatName, formatNames, formats } from "../bench/formats.js";
import { chooseFormat } from "../bench/output-format.js";
import { type PeerName, peerNames } from "../bench/peers/peers.js";
import type { BenchDocument } from "../bench/result.js";
import { runBench } from "../bench/run.js";
import type { BenchSpec } from "../bench/spec.js";
import { addDevicesOption, parseDevices } from "../device-list.js";
import { CommandError, exitCodes, nothingFinished, wrongValue } from "../exit.js";
import { chartLibrary } from "../html-page.js";
import { awaitInterrupt } from "../interrupt.js";
import { describeMachine, type Machine } from "../machine.js";
import { parseAmount, parseCount, parseCounts, sizeExamples } from "../numbers.js";
import { defaultOptions, type OptionSet, optionSyntax, parseOptionSet } from "../option-sets.js";
import { checkWritable } from "../output-file.js";
import { packageVersion } from "../package.js";
import { openProgressBar } from "../progress-bar.js";
import { note, print, warn } from "../terminal.js";
import { parseWork, type Work, workOfCount, workSyntax } from "../work.js";

interface Flags {
  parameters?: string;
  devices: string;
  precision: string;
  threads?: string;
  options: string[];
  pipeline: keyof typeof pipelines;
  warmup: string;
  repetitions: string;
  minTime: string;
  launches: string;
  flushCache?: true;
  graph?: true;
  check?: true;
  compare?: string;
  against?: string;
  python: string;
  format?: FormatName;
  output?: string;
  json?: true;
}

/** What a step does besides AdamW; --options come on top. */
const pipelines = {
  step: {},
  full: { lossScaleFactor: 16, globalClipnorm: 1, useEma: true, zeroGradients: true },
} satisfies Record<string, AdamWOptions>;

/** Storage types that are built; further ones come as layouts. */
const dtypes = ["float32"] as const;
const usualWork = ["mlp", "200x1000", "1e6", "1e7", "gpt2-124m@1/4"];
const collect = (value: string, list: string[]) => [...list, value];

export function define(command: Command): void {
  addDevicesOption(command, "auto, all, a kind, or names such as cpu:avx512,cpu:avx2", "auto")
    .description(
      "Measures steps in alternating rounds, beside what the memory of the same device allows in the same run.",
    )
    .argument("[work...]", `${workSyntax} (default: ${usualWork.join(" ")})`)
    .option("--parameters <list>", "sizes to sweep over: 1e6,3e6 or 1e6..1e9*10")
    .option("--precision <list>", `types of the memory: ${dtypes.join(", ")}`, "float32")
    .option("--threads <list>", "numbers of threads (default: FUSED_ADAMW_THREADS, else all processors)")
    .option("--options <list>", `${optionSyntax}; several times to compare`, collect, [])
    .addOption(
      new Option("--pipeline <which>", "full: unscale, global clip, average and zeroed gradients in the same step")
        .choices(Object.keys(pipelines))
        .default("step"),
    )
    .option("--warmup <n>", "samples to throw away", "2")
    .option("--repetitions <n>", "samples at least", "20")
    .option("--min-time <seconds>", "to measure each row for, at least", "0.3")
    .option("--flush-cache", "empty the caches before every sample, which is one step then")
    .option("--graph", "on a GPU: replay a captured step")
    .option("--check", "hold results to float64 before timing them")
    .option("--compare <list>", `measure others in the same rounds: ${peerNames.join(", ")}`)
    .option("--against <folder>", "take turns with another build: a checkout, or a project that has one installed")
    .option("--launches <n>", "with --against: how often both builds are started anew", "12")
    .option("--python <program>", "the Python that has PyTorch", "python3")
    .addOption(
      new Option("--format <which>", "as --output ends, else table in a terminal, else markdown").choices(formatNames),
    )
    .option(
      "--output <file>",
      "write there instead of stdout, in the format of its extension; any other needs --format",
    )
    .addHelpText("after", "\nExample:\n  fused-adamw bench gpt2-124m --check --compare copy,torch")
    .action(bench);
}

async function bench(names: string[], flags: Flags): Promise<void> {
  const machine = describeMachine();
  const spec = parseSpec(names, flags, machine);
  const format = chooseFormat(flags);

  // What the end needs is asked for first.
  if (flags.output) checkWritable(flags.output);
  if (format === "html") chartLibrary();
  const interrupt = awaitInterrupt();
  const progress = openProgressBar();
  const hooks = { signal: interrupt.signal, onProgress: progress.update };
  const measured = await runBench(spec, hooks, machine).finally(() => progress.stop());
  interrupt.end();
  const interrupted = interrupt.signal.aborted;
  if (interrupted && measured.rows.length === 0) throw nothingFinished();

  for (const { name, reason } of measured.absent) warn(`${name} is absent: ${reason}`);
  for (const row of measured.rows.filter(isEmulated).slice(0, 1)) warn(`${row.device}: ${emulatorNote}`);
  const document: BenchDocument = {
    kind: "fused-adamw bench",
    version: packageVersion,
    command: ["fused-adamw", ...process.argv.slice(2)].join(" "),
    date: new Date().toISOString(),
    machine,
    streams: Object.fromEntries(spec.own.map(({ set }) => [set.label, byteModel(set.options).streams])),
    ...measured,
    interrupted,
  };
  const text =
    format === "html" ? (await import("../bench/html-report.js")).asHtml(document) : formats[format](document);
  if (flags.output) {
    writeFileSync(flags.output, text);
    note(`Written to ${flags.output}`);
  } else {
    print(text);
  }
  if (interrupted) process.exitCode = exitCodes.interrupted;
}

function parseSpec(names: readonly string[], flags: Flags, machine: Machine): BenchSpec {
  if (flags.against !== undefined && (flags.compare !== undefined || flags.check || flags.graph)) {
    throw new CommandError(
      "usage",
      "--against takes no --compare, --check or --graph: only steps of the two builds take turns",
    );
  }
  const dtypesWanted = flags.precision.split(",").map((word) => {
    const dtype = dtypes.find((name) => name === word.trim());
    if (!dtype) throw wrongValue("--precision", `a type that is built (${dtypes.join(", ")})`, word);
    return dtype;
  });
  const devices = parseDevices(flags.devices, "--devices");
  const threads = parseCounts(flags.threads ?? String(machine.threads), "--threads", 2);
  const most = Math.max(...threads);
  if (most > machine.processors) {
    warn(`${most} threads are more than the ${machine.processors} processors that this process may use`);
  }
  if (flags.graph && devices.every((device) => device.startsWith("cpu"))) {
    throw new CommandError("usage", "--graph replays a captured step on a GPU, and none is among --devices");
  }
  const sets = optionSets(flags);
  const own: OwnSpec[] = devices.flatMap((device) =>
    dtypesWanted.flatMap((dtype) =>
      sets.flatMap((set) =>
        (device.startsWith("cpu") ? threads : threads.slice(0, 1)).map((count) => ({
          device,
          threads: count,
          set,
          dtype,
          graph: (flags.graph ?? false) && !device.startsWith("cpu"),
        })),
      ),
    ),
  );
  return {
    works: parseWorks(names, flags),
    own,
    compare: parsePeers(flags.compare),
    against: flags.against === undefined ? undefined : findBuild(flags.against),
    python: flags.python,
    check: flags.check ?? false,
    warmup: parseCount(flags.warmup, "--warmup", 0),
    repetitions: parseCount(flags.repetitions, "--repetitions"),
    minTime: parseAmount(flags.minTime, "--min-time", "seconds ≥ 0"),
    launches: parseCount(flags.launches, "--launches"),
    flushCache: flags.flushCache ?? false,
  };
}

function parseWorks(names: readonly string[], { parameters }: Flags): Work[] {
  const sizes =
    parameters === undefined ? [] : parseCounts(parameters, "--parameters", 10, sizeExamples).map(workOfCount);
  const named = names.length === 0 && sizes.length === 0 ? usualWork : names;
  return [...named.map(parseWork), ...sizes];
}

function optionSets({ options, pipeline }: Flags): OptionSet[] {
  const given = options.length === 0 ? [defaultOptions] : options.map(parseOptionSet);
  if (pipeline === "step") return given;
  return given.map(({ label, options: own }) => ({
    label: label === defaultOptions.label ? "full pipeline" : `full pipeline, ${label}`,
    options: { ...pipelines[pipeline], ...own },
  }));
}

function parsePeers(text: string | undefined): PeerName[] {
  if (text === undefined) return [];
  return text.split(",").map((word) => {
    const name = peerNames.find((peer) => peer === word.trim());
    if (!name) throw wrongValue("--compare", peerNames.join(", "), word);
    return name;
  });
}
