/** What this machine has of NVIDIA's, from outside the driver: for `doctor` to say why there is no GPU. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { readText } from "./machine.js";

/** What was found; every field can be missing by itself, which is what tells the causes apart. */
export interface NvidiaFacts {
  /** The kernel module's version line. */
  readonly kernelDriver: string | undefined;
  /** PCI devices of NVIDIA's that compute or display. */
  readonly pciDevices: number;
  /** /dev/nvidia0, …: what a container must be given. */
  readonly deviceFiles: number;
  /** Whether the dynamic linker knows libcuda.so.1. */
  readonly userDriver: boolean;
  /** One line per GPU: name, driver, memory. */
  readonly gpus: readonly string[];
  readonly visibleDevices: string | undefined;
}

export function nvidiaFacts(): NvidiaFacts {
  return {
    kernelDriver: readText("/proc/driver/nvidia/version")?.split("\n")[0],
    pciDevices: countPciDevices(),
    deviceFiles: list("/dev").filter((name) => /^nvidia\d+$/.test(name)).length,
    userDriver: process.platform === "win32" ? existsSync("C:/Windows/System32/nvcuda.dll") : linkerKnowsCuda(),
    gpus: output("nvidia-smi", "--query-gpu=name,driver_version,memory.total,memory.free", "--format=csv,noheader"),
    visibleDevices: process.env.CUDA_VISIBLE_DEVICES,
  };
}

/** One sentence per thing that keeps a GPU from being used; empty when nothing outside this package does. */
export function explainNoGpu(facts: NvidiaFacts): string[] {
  const { visibleDevices } = facts;
  const hidden = visibleDevices !== undefined && /^\s*(-1)?\s*$/.test(visibleDevices);
  const hasDriver = facts.kernelDriver !== undefined || facts.gpus.length > 0;
  const causes: [boolean, string][] = [
    [hidden, `CUDA_VISIBLE_DEVICES="${visibleDevices}" hides every GPU: unset it.`],
    [!hasDriver && facts.pciDevices > 0, "An NVIDIA GPU is there, but its driver is not loaded: install the driver."],
    [!hasDriver && facts.pciDevices === 0, "This machine has no NVIDIA GPU that the system can see."],
    [
      facts.kernelDriver !== undefined && facts.deviceFiles === 0,
      "The driver is loaded, but /dev/nvidia0 is missing: start the container with --gpus all.",
    ],
    [
      hasDriver && !facts.userDriver,
      "The driver's libcuda.so.1 is not found: in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility.",
    ],
  ];
  return causes.filter(([is]) => is).map(([, sentence]) => sentence);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Vendor 10de, class 03: display and 3D controllers. */
function countPciDevices(): number {
  const folder = "/sys/bus/pci/devices";
  return list(folder).filter(
    (name) =>
      readText(`${folder}/${name}/vendor`) === "0x10de" && readText(`${folder}/${name}/class`)?.startsWith("0x03"),
  ).length;
}

function linkerKnowsCuda(): boolean {
  const paths = (process.env.LD_LIBRARY_PATH ?? "").split(":").filter(Boolean);
  if (paths.some((path) => existsSync(`${path}/libcuda.so.1`))) return true;
  return [...output("ldconfig", "-p"), ...output("/sbin/ldconfig", "-p")].some((line) => line.includes("libcuda.so.1"));
}

/** The lines a program prints; none where it is missing or fails. */
function output(program: string, ...args: string[]): string[] {
  try {
    const text = execFileSync(program, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    });
    return text.split("\n").filter((line) => line.trim() !== "");
  } catch {
    return [];
  }
}
