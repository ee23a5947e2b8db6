/** How far a run is. */

/** The last values of a run, as the progress shows them. */
export interface Status {
  /** Of every batch so far, in nats. */
  readonly losses: readonly number[];
  readonly epoch: number;
  /** Of the epoch so far, in nats. */
  readonly loss: number;
  /** Of the newest evaluation, from 0 to 1; undefined before the first. */
  readonly accuracy: number | undefined;
  /** Of the epoch so far, in milliseconds. */
  readonly optimizerTime: number;
}
