/** The memory an optimizer works on: what it was built over, and what the addon points at. */

import { AdamWError, invalid } from "./errors.js";
import { isFloat32Array } from "./float32-array.js";
import { type Gradients, listGradients, type StepGradients } from "./gradients.js";
import { checkDevice, checkMemory, type Float32Memory } from "./memory.js";
import { checkOverlap, type Parameter } from "./parameters.js";
import type { Memory } from "./rebinding.js";

const unbound = "No parameter has a gradient bound: give it one at build() or rebind(), or pass gradients to apply()";

export class Bindings {
  /** All parameters, frozen ones too. */
  readonly parameters: readonly Parameter[];
  /** Those that take part; the addon knows only these, by their place here: their row. */
  readonly trained: readonly Parameter[];
  readonly #rows: ReadonlyMap<Parameter, number>;
  #device = "";
  /** The gradients the addon points at, by row; the reference keeps their memory. */
  #gradients: (Float32Memory | null)[];

  constructor(parameters: readonly Parameter[], frozen: readonly boolean[]) {
    this.parameters = parameters;
    this.trained = frozen.includes(true) ? parameters.filter((_, i) => !frozen[i]) : parameters;
    this.#rows = new Map(this.trained.map((parameter, row) => [parameter, row]));
    this.#gradients = this.trained.map(({ gradient }) => gradient);
  }

  /** Undefined for a frozen parameter. */
  rowOf(parameter: Parameter): number | undefined {
    return this.#rows.get(parameter);
  }

  /** Whether the newest step had a gradient for the parameter in this row. */
  hasGradient(row: number): boolean {
    return this.#gradients[row] !== null;
  }

  /** Replaces memory by other that was checked; returns the row that the addon must point at it. */
  rebind(parameter: Parameter, memory: Partial<Memory>): number | undefined {
    for (const part of [memory.value, memory.gradient]) if (part) checkDevice(part, parameter.name, this.#device);
    Object.assign(parameter, memory);
    const row = this.rowOf(parameter);
    if (row !== undefined && memory.gradient !== undefined) this.#gradients[row] = memory.gradient;
    return row;
  }

  /**
   * The gradients to step with: those passed, or (undefined) those bound at build. Undefined: the addon has them already.
   * Throws before anything changes. These loops are most of what a small step costs outside the kernels, hence plain.
   */
  prepare(gradients: Gradients | undefined, zeroed: boolean): StepGradients {
    const listed = gradients === undefined ? undefined : listGradients(gradients, this.parameters);
    const current = this.#gradients;
    let present = 0;
    let changed = false;
    for (let i = 0, row = 0; i < this.parameters.length; i += 1) {
      const parameter = this.parameters[i] as Parameter;
      const gradient = listed === undefined ? parameter.gradient : listed[i];
      if (gradient !== null && !(isFloat32Array(gradient) && gradient.length === parameter.length)) {
        this.#check(gradient, `the gradient of ${parameter.name}`, parameter.length);
      }
      if (this.trained[row] !== parameter) continue;
      if (!(isFloat32Array(parameter.value) && parameter.value.length === parameter.length)) {
        checkMemory(parameter.value, `the value of ${parameter.name}`, parameter.length);
      }
      if (gradient !== null) present += 1;
      if (gradient !== current[row]) changed = true;
      row += 1;
    }
    if (present === 0 && listed === undefined) throw new AdamWError("INVALID_ARGUMENT", unbound);
    if (present === 0) throw invalid("gradients", "a gradient for at least one parameter", gradients);
    if (!changed) return undefined;
    const chosen = listed ?? this.parameters.map(({ gradient }) => gradient);
    if (zeroed) this.#checkOwnMemory(chosen);
    return this.trained === this.parameters
      ? chosen
      : chosen.filter((_, i) => this.rowOf(this.parameters[i] as Parameter) !== undefined);
  }

  /** All memory that the optimizer was built over. */
  memories(): (Float32Memory | null)[] {
    return this.trained.flatMap(({ value, gradient }) => [value, gradient]);
  }

  /** Holds all memory, and gradients to come, to the device that computes. @throws DEVICE_MISMATCH */
  checkDevice(device: string): void {
    this.#device = device;
    for (const { name, value, gradient } of this.trained) {
      checkDevice(value, `the value of ${name}`, device);
      if (gradient) checkDevice(gradient, `the gradient of ${name}`, device);
    }
  }

  #check(memory: unknown, name: string, length: number): void {
    checkDevice(checkMemory(memory, name, length), name, this.#device);
  }

  /** A gradient that is zeroed while it is read as another one's would make the result depend on the order of threads. */
  #checkOwnMemory(gradients: readonly (Float32Memory | null)[]): void {
    checkOverlap(this.parameters.map((parameter, i) => ({ ...parameter, gradient: gradients[i] ?? null })));
  }

  /** From here on the addon points at these. */
  use(gradients: readonly (Float32Memory | null)[]): void {
    this.#gradients = [...gradients];
  }

  /** @throws DETACHED, LENGTH_MISMATCH when a parameter has lost its memory */
  checkValues(): void {
    for (const { value, name, length } of this.trained) checkMemory(value, `the value of ${name}`, length);
  }
}
