/**
 * What every device must do alike, to the bit: the same steps as on `cpu:scalar` with one thread, over every length,
 * alignment and value at which a kernel could go another way.
 */

import { expect } from "chai";
import {
  AdamW,
  type AdamWOptions,
  DeviceBuffer,
  openDevice,
  type ParameterInit,
  type StepReport,
  type Variable,
} from "../lib/index.js";
import { bits, fill, finiteSpecials, firstDifference, specials } from "./inputs.js";

type Memory = ParameterInit["value"];

/** A device under test. Where its memory is not the host's, it says how values get there and back. */
export interface Subject {
  readonly name: string;
  readonly threads: readonly number[];
  make(options: AdamWOptions, threads: number): AdamW;
  /** Memory that holds these values, starting `offset` elements into an aligned allocation. */
  place(values: Float32Array, offset: number): Memory;
  read(memory: Memory): Float32Array;
}

/** A CPU device by name: its memory is arrays. */
export function cpuSubject(name: string, threads: readonly number[]): Subject {
  return {
    name,
    threads,
    make: (options, count) => new AdamW(options, { device: name, threads: count }),
    place(values, offset) {
      const memory = new Float32Array(values.length + offset).subarray(offset);
      memory.set(values);
      return memory;
    },
    read: (memory) => (memory as Float32Array).slice(),
  };
}

/** A device by name: its memory is buffers. */
export function bufferSubject(name: string): Subject {
  const device = openDevice(name);
  return {
    name,
    threads: [1],
    make: (options) => new AdamW(options, { device: name }),
    place: (values, offset) =>
      device
        .allocate("float32", values.length + offset)
        .write(values, offset)
        .slice(offset),
    read: (memory) => (memory as DeviceBuffer<"float32">).read(),
  };
}

/** A GPU by name, its state offloaded to the host: its memory is buffers, or buffers and arrays. */
export function offloadSubject(name: string, mixed: boolean): Subject {
  const [there, here] = [bufferSubject(name), cpuSubject(name, [])];
  return {
    name,
    threads: [1],
    make: (options) => new AdamW(options, { device: name, offload: "cpu" }),
    place: (values, offset) => (mixed && offset % 3 === 0 ? here : there).place(values, offset),
    read: (memory) => (memory instanceof DeviceBuffer ? there : here).read(memory),
  };
}

const lanes = 16;
const chunk = 16_384;
/** Each tail a vector can have, and each side of a chunk's border; long enough in all for several threads. */
const lengths = [
  ...Array.from({ length: 4 * lanes + 2 }, (_, length) => length),
  ...[chunk - 1, chunk, chunk + 1, 2 * chunk + 1],
];

/** The options that choose other code in a kernel or the prologue. */
const settings: Readonly<Record<string, AdamWOptions>> = {
  plain: {},
  amsgrad: { amsgrad: true, beta2: 0.5 },
  "moving average": { useEma: true, emaMomentum: 0.9, emaOverwriteFrequency: 2 },
  accumulation: { gradientAccumulationSteps: 2, lossScaleFactor: 3 },
  "all memory streams": { amsgrad: true, useEma: true, gradientAccumulationSteps: 3, clipvalue: 0.25 },
  "clipping by value": { clipvalue: 1e-3, maximize: true },
  "clipping by norm": { clipnorm: 0.5 },
  "clipping by global norm": { globalClipnorm: 2, gradientAccumulationSteps: 2, reportNorms: true },
  "skipped steps": { nonFinite: "skip", skipAboveNorm: 1e30, zeroGradients: true },
  torch: { formula: "torch", amsgrad: true, epsilon: 1e-8 },
  groups: {
    groups: [
      { match: "p*5", learningRateMultiplier: 0.1, weightDecay: 0 },
      { match: /p\d*7$/, beta1: 0.5, beta2: 0.99, epsilon: 1e-3 },
    ],
  },
};

/** Which special values the gradients hold; parameters and state hold all of them. */
const gradientKinds = { ordinary: [], "finite special": finiteSpecials, "all special": specials } as const;

interface Outcome {
  reports: StepReport[];
  arrays: { path: string; value: Variable["value"] }[];
}

const longest = Math.max(...lengths);
const pools = new Map<readonly number[], Float32Array>();

/** Part of a long array of such numbers, made once. */
function take(length: number, seed: number, mixed: readonly number[], spacing: number): Float32Array {
  const pool = pools.get(mixed) ?? fill(2 * longest, 1, mixed, spacing);
  pools.set(mixed, pool);
  const start = bits(seed, length) % longest;
  return pool.subarray(start, start + length);
}

/** Parameters and state hold special values close together, gradients so few that most elements stay finite. */
const state = { mixed: [...specials], spacing: 8 };
const gradientSpacing = 4096;

/** State to start from; counts stay. A mean of squares is mostly positive: the root of a negative one is just NaN. */
function withState({ value, ...rest }: Variable, i: number): Variable {
  if (rest.shape.length === 0 || rest.dtype === "int32") return { ...rest, value };
  const filled = take(value.length, 1000 + i, state.mixed, state.spacing);
  const positive = rest.path.includes("velocity");
  return { ...rest, value: positive ? filled.map((x, j) => (j % 16 === 0 ? x : Math.abs(x))) : filled };
}

/** Four steps from state full of special values; every third parameter misses a gradient now and then. */
function run(subject: Subject, threads: number, options: AdamWOptions, mixed: readonly number[]): Outcome {
  const optimizer = subject.make({ learningRate: 0.01, weightDecay: 0.1, ...options }, threads);
  const parameters = lengths.map((length, i) => ({
    name: `p${length}`,
    value: subject.place(take(length, i, state.mixed, state.spacing), i % 4),
  }));
  optimizer.build(parameters);
  optimizer.setWeights(optimizer.variables.map(withState));

  const outcome: Outcome = { reports: [], arrays: [] };
  for (let step = 0; step < 4; step += 1) {
    const gradients = lengths.map((length, i) => {
      if (i % 3 === 0 && bits(step, i) % 2 === 0) return null;
      // Every other step without special values, so that some are finite whatever the kind.
      return subject.place(
        take(length, 100 * step + i, step % 2 === 0 ? mixed : gradientKinds.ordinary, gradientSpacing),
        (i + step) % 4,
      );
    });
    outcome.reports.push(optimizer.apply(gradients) ?? newestReport(optimizer));
    for (const [i, gradient] of gradients.entries()) {
      if (gradient) outcome.arrays.push({ path: `gradient ${i} of step ${step}`, value: subject.read(gradient) });
    }
  }
  for (const { name, value } of parameters) outcome.arrays.push({ path: name, value: subject.read(value) });
  for (const { path, value } of optimizer.variables) outcome.arrays.push({ path, value });
  optimizer.dispose();
  return outcome;
}

/** Of a device that steps by itself, once it is done. */
function newestReport(optimizer: AdamW): StepReport {
  optimizer.synchronize();
  return optimizer.report as StepReport;
}

const expectations = new Map<string, Outcome>();

/** What the scalar code does; worked out once for all devices. */
function expectedOutcome(key: string, options: AdamWOptions, mixed: readonly number[]): Outcome {
  const outcome = expectations.get(key) ?? run(cpuSubject("cpu:scalar", [1]), 1, options, mixed);
  expectations.set(key, outcome);
  return outcome;
}

/** Declares the tests that hold a device to the bits of the scalar code. */
export function runConformance(subject: Subject): void {
  for (const [setting, options] of Object.entries(settings)) {
    for (const [kind, mixed] of Object.entries(gradientKinds)) {
      it(`${setting}, ${kind} gradients`, () => {
        const expected = expectedOutcome(`${setting}, ${kind}`, options, mixed);
        for (const threads of subject.threads) {
          const actual = run(subject, threads, options, mixed);
          expect(actual.reports).to.deep.equal(expected.reports);
          for (const [i, { path, value }] of expected.arrays.entries()) {
            const at = firstDifference(actual.arrays[i]!.value, value);
            if (at < 0) continue;
            const [ours, theirs] = [actual.arrays[i]!.value[at], value[at]];
            expect.fail(`${path}[${at}] with ${threads} threads: ${ours}, not ${theirs} as on cpu:scalar`);
          }
        }
      });
    }
  }
}
