/** Declares everything the .node file exports: native/binding/addon.cpp is the other side. */

import { loadBinary, remedy } from "./binary.js";
import type { DType, HostArray } from "./dtypes.js";
import { AdamWError } from "./errors.js";

/** A device of this build, whether or not this machine can use it. */
export interface DeviceInfo {
  /** "cpu:avx512" */
  readonly name: string;
  /** What stands before the colon: "cpu". */
  readonly kind: string;
  /** What the maker calls it: "NVIDIA H100 80GB HBM3"; empty for CPUs and where it is not available. */
  readonly model: string;
  readonly available: boolean;
  /** Why it is not available; empty when it is. */
  readonly reason: string;
}

/** The order in which blocks of numbers are packed into Float64Arrays, and the names of the slots. */
export interface NativeTables {
  readonly policy: readonly string[];
  readonly setting: readonly string[];
  readonly controls: readonly string[];
  readonly counters: readonly string[];
  readonly report: readonly string[];
  readonly slots: readonly string[];
}

/** Types that go together: of parameters, of gradients, and of what the optimizer keeps. */
export interface Layout {
  readonly parameter: DType;
  readonly gradient: DType;
  readonly state: DType;
}

/** Parameters and gradients as the engine takes them; entries of one optimizer are addressed by their index. */
export interface NativeParameter {
  readonly value: NativeMemory;
  readonly gradient: NativeMemory | null;
  /** Elements. */
  readonly length: number;
}

/** An array of the host, or in the device's memory an address and the stream on which others work there. */
export type NativeMemory = HostArray | { readonly address: BigUint64Array };

export interface NativeStream {
  readonly device: string;
  readonly pointer: bigint;
  synchronize(): void;
}

export interface NativeEvent {
  readonly done: boolean;
  synchronize(): void;
  synchronizeAsync(): Promise<void>;
  /** What is put on the stream from now on comes after this. */
  hold(stream: NativeStream): void;
  /** Milliseconds from `begin` to this; both are done. */
  since(begin: NativeEvent): number;
}

/** What is put on a stream from its construction on, until finish(). */
export interface NativeGraph {
  finish(): void;
  launch(): void;
  dispose(): void;
}

/** A block of a device's memory. Work on it is put in the order of its stream. */
export interface NativeBuffer {
  readonly pointer: bigint;
  // Offsets are in bytes. As many bytes as the array has:
  read(to: HostArray, offset: number): HostArray;
  write(from: HostArray, offset: number): void;
  readAsync(to: HostArray, offset: number): Promise<void>;
  writeAsync(from: HostArray, offset: number): Promise<void>;
  /** `count` elements become the one in the array. */
  fill(element: HostArray, offset: number, count: number): void;
  copyFrom(other: NativeBuffer, otherOffset: number, offset: number, bytes: number): void;
  /** The name under which another process can open it. */
  share(): Uint8Array;
  dispose(): void;
}

export interface NativeSpec {
  readonly stream: NativeStream;
  /** 0: as many as the process may use. */
  readonly threads: number;
  /** The device is a GPU, and the CPU has the state and steps. */
  readonly offload?: boolean;
  readonly policy: Float64Array;
  readonly lossScale: number;
  readonly parameterType: DType;
  /** Empty: the first that goes with the parameters' type. */
  readonly gradientType: DType | "";
  readonly parameters: readonly NativeParameter[];
  /** Read at every step. */
  readonly controls: Float64Array;
  /** Written after every step. */
  readonly report: Float64Array;
  /** Step, learning rate and weight decay of each raw step that a step issued ahead may turn out to be. */
  readonly rates: Float64Array;
}

/**
 * One step's gradients, null for none; nothing at all: those that are bound. Arguments, because the elements of
 * an array cost the addon a call each; a list too long for the stack comes as the array it is.
 */
export type NativeGradients = readonly (NativeMemory | null)[] | readonly [readonly (NativeMemory | null)[]];

export interface NativeOptimizer {
  readonly device: string;
  /** Which of `layouts` it has. */
  readonly layout: number;
  /** Steps are issued ahead; else they are done by step() and stepAsync(). */
  readonly isAsynchronous: boolean;
  step(...gradients: NativeGradients): void;
  stepAsync(...gradients: NativeGradients): Promise<void>;
  /** Writes the raw steps that the next one may be into `rates`, for the rates to be filled in; their count. */
  foresee(): number;
  /** Puts a step on the stream. */
  issue(...gradients: NativeGradients): void;
  // The parts of that: what the step needs, the step, what it did.
  prepare(...gradients: NativeGradients): void;
  launch(): void;
  depart(): void;
  /** Zeroes the newest step's gradients in arrays of the host where that waits for its outcome. */
  releaseGradients(): void;
  wait(): void;
  waitAsync(): Promise<void>;
  /** Steps known to be done, of the newest of which `report` now tells. */
  finished(): number;
  /** Of the first step that ended in an error since this was last asked; false: of none. */
  takeFailure(report: Float64Array, rowSums: Float64Array): boolean;
  /** Changes with what launches hold. */
  readonly version: number;
  /** Where the device keeps the loss scale, in float32. */
  readonly lossScale: bigint;
  /**
   * Puts a pass over the memory of a step on the stream that changes nothing, as fast as the memory allows; false:
   * there is none.
   */
  streamPass(): boolean;
  /** The array of this parameter is not brought up to date any more, until another is bound. */
  forget(index: number): void;
  /** Other memory of the same length; undefined leaves what is bound. */
  bind(index: number, value: NativeMemory | undefined, gradient: NativeMemory | null | undefined): void;
  /** All settings, one after the other, and which of them each parameter has. */
  assign(settings: Float64Array, assignment: Float64Array): void;
  setPolicy(policy: Float64Array): void;
  counters(to: Float64Array): Float64Array;
  setCounters(from: Float64Array): void;
  /** Real updates each parameter took part in. */
  updates(to: Float64Array): Float64Array;
  setUpdates(from: Float64Array): void;
  /** Sums of squares of the newest step's unscaled gradients. */
  rowSums(to: Float64Array): Float64Array;
  /** The whole slot, or with `offset` the elements from there on that the array covers. */
  readSlot(index: number, slot: number, to: HostArray, offset?: number): HostArray;
  writeSlot(index: number, slot: number, from: HostArray, offset?: number): void;
  /** The slot's own memory from element `offset` on as an array; undefined where JavaScript cannot have it. */
  lendSlot(index: number, slot: number, offset: number, count: number): HostArray | undefined;
  /** Parameters and averages trade places. */
  exchangeEma(): void;
  /** Parameters become their averages. */
  applyEma(): void;
  /** After a call that failed half-way: parameters, state and counts were all set anew. */
  mend(): void;
  dispose(): void;
}

/** What diagnoses and benchmarks tell of a device; 0 and empty where only the system knows. */
export interface DeviceFacts {
  /** Where it is plugged in: "0000:01:00.0". */
  readonly bus: string;
  /** In bytes. */
  readonly memory: number;
  readonly freeMemory: number;
  /** Of the last cache, in bytes. */
  readonly cache: number;
  /** CUDA's version of this build, 12040 for 12.4, and the newest that the driver knows. */
  readonly runtime: number;
  readonly driver: number;
}

interface Native {
  setErrorClass(errorClass: typeof AdamWError): void;
  devices(): DeviceInfo[];
  facts(device: string): DeviceFacts;
  /** The CRC-32 of bytes that come after others with the checksum `before`, computed off the event loop. */
  checksum(bytes: Uint8Array, before: number): Promise<number>;
  /** Takes an array's memory away from it. */
  detach(array: ArrayBufferView): void;
  /** Where the memory of an array is. */
  addressOf(array: HostArray): bigint;
  readonly tables: NativeTables;
  /** What it was compiled for, best first. */
  readonly layouts: readonly Layout[];
  /** Raw steps that a step issued ahead may turn out to be, at most. */
  readonly foreseen: number;
  /** The device's default stream, a new one (true), or one that another library made. */
  readonly Stream: new (
    device: string,
    which?: true | bigint,
  ) => NativeStream;
  readonly Event: new (stream: NativeStream) => NativeEvent;
  readonly Graph: new (stream: NativeStream) => NativeGraph;
  /** Zeroed memory, such that can be shared (true), that at an address, or that which another process shares. */
  readonly Buffer: new (
    stream: NativeStream,
    bytes: number,
    which?: true | bigint | Uint8Array,
  ) => NativeBuffer;
  /** Memory of the host that the device copies from and to without staging. */
  allocateHost(device: string, bytes: number): ArrayBuffer;
  readonly Optimizer: new (spec: NativeSpec) => NativeOptimizer;
}

function load(): Native {
  const { exports, candidates } = loadBinary();
  if (exports === undefined) {
    const failures = candidates.map(({ file, failure }) => `  ${file}: ${failure}`);
    throw new AdamWError(
      "NATIVE",
      [
        `Could not load the fused-adamw addon for ${process.platform}-${process.arch}, Node ${process.version}:`,
        ...failures,
        remedy(),
      ].join("\n"),
    );
  }
  const native = exports as Native;
  native.setErrorClass(AdamWError);
  return native;
}

export const native: Native = load();
