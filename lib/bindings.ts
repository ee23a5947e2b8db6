/** The memory an optimizer works on: what it was built over, and what the addon points at. */

import { AdamWError, invalid } from "./errors.js";
import { type Gradients, listGradients } from "./gradients.js";
import type { NativeGradients } from "./native.js";
import { checkArray, checkOverlap, isFloat32Array, type Parameter } from "./parameters.js";
import type { Memory } from "./rebinding.js";

const unbound = "No parameter has a gradient bound: give it one at build() or rebind(), or pass gradients to apply()";

export class Bindings {
  /** All parameters, frozen ones too. */
  readonly parameters: readonly Parameter[];
  /** Those that take part; the addon knows only these, by their place here: their row. */
  readonly trained: readonly Parameter[];
  readonly #rows: ReadonlyMap<Parameter, number>;
  /** The gradients the addon points at, by row; the reference keeps their memory. */
  #gradients: (Float32Array | null)[];

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
    Object.assign(parameter, memory);
    const row = this.rowOf(parameter);
    if (row !== undefined && memory.gradient !== undefined) this.#gradients[row] = memory.gradient;
    return row;
  }

  /**
   * The gradients to step with: those passed, or (undefined) those bound at build. Undefined: the addon has them already.
   * Throws before anything changes. These loops are most of what a small step costs outside the kernels, hence plain.
   */
  prepare(gradients: Gradients | undefined, zeroed: boolean): NativeGradients {
    const listed = gradients === undefined ? undefined : listGradients(gradients, this.parameters);
    const current = this.#gradients;
    let present = 0;
    let changed = false;
    for (let i = 0, row = 0; i < this.parameters.length; i += 1) {
      const parameter = this.parameters[i] as Parameter;
      const gradient = listed === undefined ? parameter.gradient : listed[i];
      if (gradient !== null && !(isFloat32Array(gradient) && gradient.length === parameter.length)) {
        checkArray(gradient, `the gradient of ${parameter.name}`, parameter.length);
      }
      if (this.trained[row] !== parameter) continue;
      if (parameter.value.length !== parameter.length) {
        checkArray(parameter.value, `the value of ${parameter.name}`, parameter.length);
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

  /** A gradient that is zeroed while it is read as another one's would make the result depend on the order of threads. */
  #checkOwnMemory(gradients: readonly (Float32Array | null)[]): void {
    checkOverlap(this.parameters.map((parameter, i) => ({ ...parameter, gradient: gradients[i] ?? null })));
  }

  /** From here on the addon points at these. */
  use(gradients: readonly (Float32Array | null)[]): void {
    this.#gradients = [...gradients];
  }

  /** @throws DETACHED, LENGTH_MISMATCH when a parameter has lost its memory */
  checkValues(): void {
    for (const { value, name, length } of this.trained) checkArray(value, `the value of ${name}`, length);
  }
}
