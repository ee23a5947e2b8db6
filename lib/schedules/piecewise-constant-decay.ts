import { invalid } from "../errors.js";
import type { Fields } from "../fields.js";
import { kerasSchedules } from "../keras-object.js";
import { listOf, nonNegative, stepsOrZero } from "../validate.js";
import { nameField, Schedule } from "./schedule.js";

export interface PiecewiseConstantDecayOptions {
  /** The last step of each value but the last one, ascending. */
  boundaries: readonly number[];
  /** The rates, one more than there are boundaries. */
  values: readonly number[];
  /** @default "PiecewiseConstant" */
  name?: string;
}

type Resolved = Required<PiecewiseConstantDecayOptions>;

/** `values[i]` for `boundaries[i - 1] < step <= boundaries[i]`, as Keras' `PiecewiseConstantDecay`. */
export class PiecewiseConstantDecay extends Schedule<Resolved> {
  static override readonly name = "PiecewiseConstantDecay";
  static readonly module = kerasSchedules;
  static readonly fields: Fields<Resolved> = {
    boundaries: { key: "boundaries", kind: listOf(stepsOrZero) },
    values: { key: "values", kind: listOf(nonNegative, 1) },
    name: nameField("PiecewiseConstant"),
  };

  constructor(options: PiecewiseConstantDecayOptions) {
    super(PiecewiseConstantDecay.fields, options);
    const { boundaries, values } = this.options;
    if (boundaries.length !== values.length - 1) {
      throw invalid("values", `an array of ${boundaries.length + 1}, one more than boundaries,`, values);
    }
    checkAscending(boundaries);
  }

  protected override valueAt(step: number): number {
    const { boundaries, values } = this.options;
    const next = boundaries.findIndex((boundary) => step <= boundary);
    return values.at(next) as number; // -1, past every boundary, is the last value
  }
}

/** @throws INVALID_ARGUMENT when a boundary does not exceed the one before it */
export function checkAscending(boundaries: readonly number[]): void {
  const ascending = boundaries.every((boundary, i) => i === 0 || boundary > (boundaries[i - 1] as number));
  if (!ascending) throw invalid("boundaries", "ascending steps", boundaries);
}
