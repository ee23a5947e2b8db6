/** A checkpoint whatever its file format: what readers give and writers take. */

import type { StopSignal } from "../abort-signal.js";
import type { Counters } from "../engine.js";
import type { SerializedObject } from "../keras-object.js";

/** A named block of numbers, in a file or in memory. */
export interface Tensor {
  /** `<parameter>.<slot>` */
  readonly name: string;
  /** A name of `dtypes`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Of all its bytes; absent where the format has none. */
  readonly checksum?: string | undefined;
  /** Where the tensor begins in its file. */
  readonly offset?: number;
  /** All its bytes, if they are in memory anyway. */
  readonly memory?: Uint8Array;
  /** Fills `into` with the bytes from `start` on. */
  read(start: number, into: Uint8Array): Promise<void> | void;
}

/** A parameter the state belongs to. */
export interface StoredParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Took no part in training: it has no slots. */
  readonly frozen: boolean;
}

export interface Checkpoint {
  readonly path: string;
  /** "fused-adamw", "torch", "keras" … */
  readonly format: string;
  /** The optimizer in Keras' JSON, as far as the format says it; null: it says nothing. */
  readonly optimizer: SerializedObject | null;
  /** Whether `optimizer` leaves out what the format cannot say, instead of what is the default. */
  readonly isConfigPartial?: boolean;
  /** The learning rate as a double, when it was a number. */
  readonly learningRate: number | null;
  /** Of formats without options that say it: whether the learning rate was a number. */
  readonly hasLearningRate?: boolean | undefined;
  /** Of formats whose options need not say it: whether a loss scaler is around the optimizer. */
  readonly hasLossScale?: boolean | undefined;
  readonly counters: Readonly<Partial<Counters>>;
  /** In the order of build. */
  readonly parameters: readonly StoredParameter[];
  /** Nobody said the names: the tensors have numbers for them, to be looked at. */
  readonly isNumbered?: boolean;
  /** By name. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** What the user had saved with it. */
  readonly metadata: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Whether a loss scaler is around the optimizer, as far as the checkpoint says it. */
export function isScaled({ hasLossScale, optimizer, isConfigPartial = false, counters }: Checkpoint): boolean {
  const isSaid = isConfigPartial && counters.lossScale !== undefined;
  return hasLossScale ?? (isSaid || optimizer?.class_name === "LossScaleOptimizer");
}

/** What a writer put into its file. */
export interface Contents {
  /** Of the file, or of all files. */
  readonly bytes: number;
  /** The names of the checkpoint's tensors that are in it, in whatever form. */
  readonly written: ReadonlySet<string>;
}

/** How far saving or loading is. */
export interface Progress {
  readonly done: number;
  /** Bytes. */
  readonly total: number;
}

export interface TransferOptions {
  /** Called after every piece. */
  progress?: ((progress: Progress) => void) | undefined;
  /** Stops saving, or loading before anything was changed. */
  signal?: StopSignal | undefined;
}
