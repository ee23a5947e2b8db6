/** `doctor`: one screen that says what is installed, what this machine has, and whether every device works. */

import type { Command } from "commander";
import { type BinaryCandidate, loadBinary, remedy } from "../../binary.js";
import type { DeviceFacts, DeviceInfo } from "../../native.js";
import { exitCodes } from "../exit.js";
import { formatBytes, formatSeconds } from "../format.js";
import { describeMachine, type Machine } from "../machine.js";
import { explainNoGpu, type NvidiaFacts, nvidiaFacts } from "../nvidia.js";
import { packageRoot, packageVersion } from "../package.js";
import { renderSection, renderTable } from "../table.js";
import { paint, print, printJson } from "../terminal.js";

/** Variables that change what happens, listed when they are set. */
const variables = ["FUSED_ADAMW_BINDING", "FUSED_ADAMW_THREADS", "CUDA_VISIBLE_DEVICES", "NODE_OPTIONS"];

/** A device and how it did in a small run. */
interface Checkup extends DeviceInfo {
  readonly check: "equal bits" | "wrong bits" | "failed" | "missing";
  /** Where the bits differ from those of cpu:scalar, or what failed; empty when nothing is wrong. */
  readonly fault: string;
  readonly seconds: number | undefined;
  /** Of a GPU that could be asked. */
  readonly facts: DeviceFacts | undefined;
}

interface Diagnosis {
  readonly version: string;
  readonly root: string;
  readonly binaries: readonly BinaryCandidate[];
  readonly machine: Machine;
  readonly environment: Readonly<Record<string, string>>;
  readonly nvidia: NvidiaFacts;
  /** Why no GPU can be used; empty when one can, or when nothing outside this package stands in the way. */
  readonly noGpu: readonly string[];
  readonly devices: readonly Checkup[];
  readonly healthy: boolean;
}

export function define(command: Command): void {
  command
    .description("Describes this installation and machine on one screen for an issue, and tries every device.")
    .action(async (options: { json?: true }) => {
      const diagnosis = await diagnose();
      if (options.json) printJson(diagnosis);
      else print(render(diagnosis));
      const isLoaded = diagnosis.binaries.some(({ failure }) => failure === undefined);
      if (!diagnosis.healthy) process.exitCode = isLoaded ? exitCodes.failed : exitCodes.missing;
    });
}

async function diagnose(): Promise<Diagnosis> {
  const { exports, candidates } = loadBinary();
  const devices = exports === undefined ? [] : await checkDevices();
  const nvidia = nvidiaFacts();
  const hasGpu = devices.some(({ kind, available }) => kind === "cuda" && available);
  const usable = devices.filter(({ available }) => available);
  return {
    version: packageVersion,
    root: packageRoot,
    binaries: candidates,
    machine: describeMachine(),
    environment: Object.fromEntries(variables.flatMap((name) => [[name, process.env[name]]]).filter(([, v]) => v)),
    nvidia,
    noGpu: hasGpu ? [] : [...explainNoGpu(nvidia), ...(exports === undefined ? [] : missingGpus(devices))],
    devices,
    healthy: usable.length > 0 && usable.every(({ check }) => check === "equal bits"),
  };
}

/** What this build says of the GPUs that it cannot use. */
function missingGpus(devices: readonly DeviceInfo[]): string[] {
  const gpu = devices.filter(({ kind }) => kind === "cuda");
  if (gpu.length === 0) return ["This build of fused-adamw has no CUDA device."];
  return gpu.map(({ name, reason }) => `${name}: ${reason}`);
}

/** Loads the library only here, so that `doctor` has an answer when the addon does not load. */
async function checkDevices(): Promise<Checkup[]> {
  const { deviceFacts, devices } = await import("../../device.js");
  const { firstDifference, scenarios, trace } = await import("../conformance.js");
  const [scenario] = scenarios as [(typeof scenarios)[0]];
  const expected = await trace(scenario, "cpu:scalar", 1);
  const list: Checkup[] = [];
  for (const device of devices()) {
    if (!device.available) {
      list.push({ ...device, check: "missing", fault: "", seconds: undefined, facts: undefined });
      continue;
    }
    const start = performance.now();
    let facts: DeviceFacts | undefined;
    let check: Checkup["check"] = "failed";
    let fault: string;
    try {
      if (device.kind !== "cpu") facts = deviceFacts(device.name);
      fault = firstDifference(expected, await trace(scenario, device.name)) ?? "";
      check = fault === "" ? "equal bits" : "wrong bits";
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error);
    }
    list.push({ ...device, check, fault, seconds: (performance.now() - start) / 1000, facts });
  }
  return list;
}

/** 12040 is CUDA 12.4. */
const cudaVersion = (number: number) => `CUDA ${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;

function describeGpu({ name, model, facts }: Checkup): string {
  if (!facts) return `${name}, ${model}`;
  const memory = `${formatBytes(facts.freeMemory)} free of ${formatBytes(facts.memory)}`;
  const versions = `this build has ${cudaVersion(facts.runtime)}, the driver knows ${cudaVersion(facts.driver)}`;
  return `${name}, ${model}, ${memory}; ${versions}`;
}

function render({ version, root, binaries, machine, environment, nvidia, noGpu, devices, healthy }: Diagnosis): string {
  const sections = [
    renderSection("installation", [
      ["fused-adamw", `${version} in ${root}`],
      ["node", `${machine.node}, Node-API ${process.versions.napi}`],
      ...binaries.map(({ file, failure }): [string, string] => ["addon", `${file}: ${failure ?? "loaded"}`]),
      ...Object.entries(environment),
    ]),
    renderSection("machine", [
      ["system", machine.system],
      ["cpu", machine.cpu],
      ["threads", `${machine.threads}, on ${machine.processors} of ${machine.allProcessors} processors`],
      ...(machine.caches ? [["caches", machine.caches] as const] : []),
      ["memory", `${formatBytes(machine.freeMemory)} free of ${formatBytes(machine.memory)}`],
      ...(machine.hugePages ? [["huge pages", machine.hugePages] as const] : []),
    ]),
    renderSection("NVIDIA", [
      ["driver", nvidia.kernelDriver ?? "not loaded"],
      ...nvidia.gpus.map((gpu): [string, string] => ["nvidia-smi", gpu]),
      ...devices.filter(({ model }) => model !== "").map((device): [string, string] => ["gpu", describeGpu(device)]),
      ...noGpu.map((sentence): [string, string] => ["no GPU", sentence]),
    ]),
    devices.length > 0 ? renderDevices(devices) : paint("red", `The addon could not be loaded. ${remedy()}`),
    healthy ? paint("green", "All well.") : paint("red", "Something is wrong; see above."),
  ];
  return sections.join("\n\n");
}

function renderDevices(devices: readonly Checkup[]): string {
  return renderTable(
    [
      { title: "device", cell: ({ name }) => name },
      {
        title: "check",
        cell: ({ check }) => check,
        style: ({ check }) => (check === "missing" ? "dim" : check === "equal bits" ? "green" : "red"),
      },
      { title: "took", align: "right", cell: ({ seconds }) => (seconds === undefined ? "" : formatSeconds(seconds)) },
      { title: "reason", wraps: true, cell: ({ reason, fault }) => fault || reason },
    ],
    devices,
  );
}
