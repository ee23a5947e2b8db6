import { invalid } from "../errors.js";
import type { Fields } from "../fields.js";
import { ownSchedules } from "../keras-object.js";
import { integerFrom, listOf } from "../validate.js";
import { checkAscending } from "./piecewise-constant-decay.js";
import { type LearningRateSchedule, nameField, Schedule, scheduleKind } from "./schedule.js";

export interface JoinOptions {
  /** The schedules in their order. */
  schedules: readonly LearningRateSchedule[];
  /** The first step of each schedule but the first one, ascending. */
  boundaries: readonly number[];
  /** @default "Join" */
  name?: string;
}

type Resolved = Required<JoinOptions>;

/** One schedule after the other, each counting from its own first step, as `join_schedules` of Optax. */
export class Join extends Schedule<Resolved> {
  static override readonly name = "Join";
  static readonly module = ownSchedules;
  static readonly fields: Fields<Resolved> = {
    schedules: { key: "schedules", kind: listOf(scheduleKind, 1) },
    boundaries: { key: "boundaries", kind: listOf(integerFrom(1)) },
    name: nameField("Join"),
  };

  constructor(options: JoinOptions) {
    super(Join.fields, options);
    const { boundaries, schedules } = this.options;
    if (boundaries.length !== schedules.length - 1) {
      throw invalid("schedules", `an array of ${boundaries.length + 1}, one more than boundaries,`, schedules);
    }
    checkAscending(boundaries);
  }

  protected override valueAt(step: number): number {
    const { boundaries, schedules } = this.options;
    const current = boundaries.findLastIndex((boundary) => boundary <= step);
    return (schedules[current + 1] as LearningRateSchedule).at(step - (boundaries[current] ?? 0));
  }
}
