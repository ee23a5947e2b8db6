/** `selftest`: whether this machine's devices agree to the bit. */

import type { Command } from "commander";
import { firstDifference, type Scenario, scenarios, trace } from "../conformance.js";
import { addDevicesOption, parseDevices } from "../device-list.js";
import { exitCodes } from "../exit.js";
import { parseCounts } from "../numbers.js";
import { renderTable } from "../table.js";
import { note, paint, print, printJson } from "../terminal.js";

interface Options {
  devices: string;
  threads: string;
  json?: true;
}

interface Finding {
  readonly scenario: string;
  readonly device: string;
  readonly threads: number;
  /** The first place where the bits differ; empty when they are equal. */
  readonly difference: string;
}

export function define(command: Command): void {
  addDevicesOption(command, "devices to test: all that are available, names, or kinds, separated by commas", "all")
    .description(
      "Runs the core of the conformance suite: every device must leave the bits of cpu:scalar on one thread.",
    )
    .option("--threads <list>", "numbers of threads to test with", "1,2,3")
    .action(async ({ devices, threads, json }: Options) => {
      const names = parseDevices(devices, "--devices");
      const findings = await test(names, parseCounts(threads, "--threads", 2));
      const equal = findings.every(({ difference }) => difference === "");
      if (json) printJson({ equal, findings });
      else print(render(findings, names));
      for (const { scenario, device: name, threads: count, difference } of findings) {
        if (difference !== "") note(`${name}, ${count} threads, ${scenario}: ${difference}`);
      }
      if (!equal) process.exitCode = exitCodes.failed;
    });
}

async function test(devices: readonly string[], threads: readonly number[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const scenario of scenarios) {
    const expected = await trace(scenario, "cpu:scalar", 1);
    for (const device of devices) {
      for (const count of device.startsWith("cpu") ? threads : [1]) {
        const difference = firstDifference(expected, await trace(scenario, device, count)) ?? "";
        findings.push({ scenario: scenario.name, device, threads: count, difference });
      }
    }
  }
  return findings;
}

function render(findings: readonly Finding[], devices: readonly string[]): string {
  const of = (scenario: Scenario, device: string) =>
    findings.filter((finding) => finding.scenario === scenario.name && finding.device === device);
  const isEqual = (list: readonly Finding[]) => list.every(({ difference }) => difference === "");
  const table = renderTable(
    [
      { title: "scenario", cell: ({ name }) => name },
      ...devices.map((device) => ({
        title: device,
        cell: (scenario: Scenario) => (isEqual(of(scenario, device)) ? "equal bits" : "DIFFERS"),
        style: (scenario: Scenario) => (isEqual(of(scenario, device)) ? ("green" as const) : ("red" as const)),
      })),
    ],
    scenarios,
  );
  const wrong = findings.filter(({ difference }) => difference !== "").length;
  const verdict =
    wrong === 0
      ? paint("green", `${findings.length} runs, every bit as on cpu:scalar.`)
      : paint("red", `${wrong} of ${findings.length} runs differ from cpu:scalar.`);
  return `${table}\n\n${verdict}`;
}
