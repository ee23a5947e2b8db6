/** What a schedule is, and the base of those this package brings. */

import { type Fields, readFields, resolveFields, tellingFields, writeFields } from "../fields.js";
import { inspection, shownAs } from "../inspection.js";
import { noNested, serialize } from "../keras-object.js";
import { type Kind, nonNegative, parse, type ReadNested, text } from "../validate.js";

/** Anything with these two methods can be a learning rate or a weight decay. */
export interface LearningRateSchedule {
  /** The value for raw iteration `step`, which starts at 0 and counts every gradient accumulation micro-step. */
  at(step: number): number;
  /** The JSON from which `fromConfig` of the class makes an equal schedule. */
  getConfig(): Record<string, unknown>;
}

export function isSchedule(value: unknown): value is LearningRateSchedule {
  const schedule = value as Partial<LearningRateSchedule> | null | undefined;
  return typeof schedule?.at === "function" && typeof schedule.getConfig === "function";
}

export const scheduleKind: Kind<LearningRateSchedule> = {
  expected: "a schedule (an object with at(step) and getConfig())",
  accepts: isSchedule,
  write: serialize,
  read: (json, name, nested) => nested(json, name),
};

/** The class of a schedule described by a table of fields. */
export interface ScheduleClass<S extends LearningRateSchedule = LearningRateSchedule> {
  new (options: never): S;
  readonly fields: Fields<object>;
  readonly name: string;
  readonly module: string;
  fromConfig(config: unknown, nested?: ReadNested): LearningRateSchedule;
}

/**
 * An immutable schedule whose options come from a table: validated, complete, and written to JSON under Keras' names.
 *
 * JavaScript cannot tell 1.0 from 1. Keras can, and with an integer initial learning rate computes the whole schedule
 * in integers (0 for ever, or 1 for ever); here it is a number like any other.
 */
export abstract class Schedule<Options extends object> implements LearningRateSchedule {
  /** Every option, defaults filled in. */
  readonly options: Readonly<Options>;
  readonly #fields: Fields<Options>;

  protected constructor(fields: Fields<Options>, options: object) {
    this.#fields = fields;
    this.options = resolveFields(fields, options, `the options of ${new.target.name}`);
  }

  /** @throws INVALID_ARGUMENT for what is no step: a negative number, NaN, no number at all */
  at(step: number): number {
    return this.valueAt(parse(nonNegative, step, "step"));
  }

  /** at() for a finite step ≥ 0. */
  protected abstract valueAt(step: number): number;

  getConfig(): Record<string, unknown> {
    return writeFields(this.#fields, this.options);
  }

  /** @internal */
  [inspection](): object {
    return shownAs(this.constructor.name, () => tellingFields(this.#fields, this.options));
  }

  /** The schedule that a configuration stands for; `nested` reads schedules inside it. */
  static fromConfig<S extends LearningRateSchedule>(
    this: Pick<ScheduleClass<S>, "fields" | "name"> & (new (options: never) => S),
    config: unknown,
    nested: ReadNested = noNested,
  ): S {
    return new this(readFields(this.fields, config, `the config of ${this.name}`, nested) as never);
  }
}

/** The row every schedule ends or continues with: its name, which Keras writes to JSON and uses nowhere else. */
export function nameField(name: string) {
  return { key: "name", kind: text, default: name } as const;
}

/** A straight line from `from` at 0 to `to` at 1; exact at both ends. */
export function line(from: number, to: number, t: number): number {
  return t >= 1 ? to : from + (to - from) * t;
}
