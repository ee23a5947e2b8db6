/** What a training run is set to. */

/** Of TensorFlow.js; the table in backends.ts has one row for each. */
export const backendNames = ["wasm", "cpu"] as const;

export type BackendName = (typeof backendNames)[number];

export interface TrainSettings {
  readonly epochs: number;
  /** Digits per step. */
  readonly batch: number;
  readonly backend: BackendName;
  /** Of the initial weights and the order of the digits. */
  readonly seed: number;
  /** Of Adam; a schedule peaks at five times as much. */
  readonly "learning-rate": number;
  /** How many of the training digits to use. */
  readonly train: number;
  /** What AdamW computes on. @default "auto" */
  readonly device?: string;
  /** @default as AdamW has it */
  readonly threads?: number | undefined;
}
