/** The memory an optimizer works on: what it was built over, and what the addon points at. */

import { DeviceBuffer } from "./device-buffer.js";
import { type DType, dtypes } from "./dtypes.js";
import { AdamWError, invalid } from "./errors.js";
import type { GradientList, StepGradients } from "./gradients.js";
import { arrayNameOf, checkFixed, lengthOf } from "./host-array.js";
import { checkDevice, checkMemory, lengthToKeep, memoryName, type TensorMemory } from "./memory.js";
import type { Layout } from "./native.js";
import { checkOverlap, type Parameter } from "./parameters.js";
import type { Memory, Rebindings } from "./rebinding.js";

const unbound = "No parameter has a gradient bound: give it one at build() or rebind(), or pass gradients to apply()";
const noGradients = "Expected a gradient for at least one parameter, but all are null";

export class Bindings {
  /** All parameters, frozen ones too. */
  readonly parameters: readonly Parameter[];
  /** Those that take part; the addon knows only these, by their place here: their row. */
  readonly trained: readonly Parameter[];
  readonly #rows: ReadonlyMap<Parameter, number>;
  #device = "";
  /** Of gradients, and the arrays that hold it. */
  #gradientType: DType | undefined;
  #gradientArray: string | undefined;
  #gradientBytes = 0;
  // By row, in arrays of their own: a step looks at all of it, and parameters are objects all over the memory.
  readonly #values: TensorMemory[];
  readonly #valueLengths: number[];
  /** The gradients bound at build or by rebind(). */
  readonly #bound: (TensorMemory | null)[];
  readonly #boundLengths: number[];
  /** What the addon was to point at when it failed, if it ever did. */
  readonly #coming: Partial<Memory>[] = [];
  /** The gradients the addon points at; the reference keeps their memory. Empty: it is not known. */
  #gradients: (TensorMemory | null)[];
  /** A value has moved since those gradients were passed: it may be one of them now. */
  #moved = false;
  /** Any of which the addon may point at, each row of them, while that is not known. */
  #suspects: (TensorMemory | null)[][] = [];

  constructor(parameters: readonly Parameter[], frozen: readonly boolean[]) {
    this.parameters = parameters;
    this.trained = frozen.includes(true) ? parameters.filter((_, i) => !frozen[i]) : parameters;
    this.#rows = new Map(this.trained.map((parameter, row) => [parameter, row]));
    this.#values = this.trained.map(({ value }) => value);
    this.#valueLengths = this.#values.map(lengthToKeep);
    this.#bound = this.trained.map(({ gradient }) => gradient);
    this.#boundLengths = this.#bound.map(lengthToKeep);
    this.#gradients = this.#bound;
  }

  /** What the addon has chosen by the parameters' types: gradients are held to it. */
  set layout({ gradient }: Layout) {
    this.#gradientType = gradient;
    this.#gradientArray = dtypes[gradient].array.name;
    this.#gradientBytes = dtypes[gradient].bytes;
  }

  /** Undefined for a frozen parameter. */
  rowOf(parameter: Parameter): number | undefined {
    return this.#rows.get(parameter);
  }

  /** Whether the newest step had a gradient for the parameter in this row. */
  hasGradient(row: number): boolean {
    return this.#gradients[row] !== null;
  }

  /** @throws DEVICE_MISMATCH for memory that the optimizer's device cannot reach */
  check(changes: Rebindings): void {
    for (const [{ name }, { value, gradient }] of changes) {
      if (value) checkDevice(value, `the value of ${name}`, this.#device);
      if (gradient) checkDevice(gradient, `the gradient of ${name}`, this.#device);
    }
  }

  /**
   * The row that the addon must point at this memory, undefined for a frozen parameter. The memory is kept from now on:
   * an addon that fails half-way may point at it all the same.
   */
  expect(parameter: Parameter, memory: Partial<Memory>): number | undefined {
    this.#coming.push(memory);
    return this.rowOf(parameter);
  }

  /** Replaces memory by other that the addon points at by now. */
  rebind(parameter: Parameter, memory: Partial<Memory>): void {
    Object.assign(parameter, memory);
    this.#coming.pop();
    const row = this.rowOf(parameter);
    if (row === undefined) return;
    // Memory that stays may be gone by now, and its length with it.
    if (memory.value !== undefined) {
      this.#moved = true;
      this.#values[row] = memory.value;
      this.#valueLengths[row] = lengthToKeep(memory.value);
    }
    if (memory.gradient !== undefined) {
      this.#bound[row] = this.#gradients[row] = memory.gradient;
      this.#boundLengths[row] = lengthToKeep(memory.gradient);
    }
  }

  /**
   * The gradients to step with, by row: those passed, or (undefined) those bound. Undefined: the addon has them
   * already. Throws before anything changes. These loops are most of what a small step costs outside the kernels, hence
   * plain.
   */
  prepare(gradients: GradientList | undefined, zeroed: boolean): StepGradients {
    const chosen = gradients === undefined ? this.#boundGradients() : this.#passedGradients(gradients, zeroed);
    this.checkValues();
    return chosen;
  }

  #boundGradients(): StepGradients {
    const bound = this.#bound;
    const lengths = this.#boundLengths;
    let present = false;
    for (let row = 0; row < bound.length; row += 1) {
      const gradient = bound[row] as TensorMemory | null;
      if (gradient === null) continue;
      present = true;
      const length = lengths[row] as number;
      if (length < 0 || gradient.length !== length) this.#checkGradient(gradient, this.trained[row] as Parameter);
    }
    if (!present) throw new AdamWError("INVALID_ARGUMENT", unbound);
    return bound === this.#gradients ? undefined : bound;
  }

  #passedGradients(listed: GradientList, zeroed: boolean): StepGradients {
    const chosen: GradientList = this.trained === this.parameters ? listed : new Array(this.trained.length);
    const current = this.#gradients;
    const array = this.#gradientArray;
    const width = this.#gradientBytes;
    let present = false;
    let changed = this.#moved;
    for (let i = 0, row = 0; i < listed.length; i += 1) {
      const parameter = this.parameters[i] as Parameter;
      const gradient = listed[i] as TensorMemory | null;
      if (gradient !== null && !(arrayNameOf(gradient) === array && gradient.byteLength === parameter.length * width)) {
        this.#checkGradient(gradient, parameter);
      }
      if (this.trained[row] !== parameter) continue;
      if (gradient !== null) present = true;
      if (gradient !== current[row]) changed = true;
      chosen[row] = gradient;
      row += 1;
    }
    if (!present) throw new AdamWError("INVALID_ARGUMENT", noGradients);
    if (!changed) return undefined;
    if (zeroed) this.#checkOwnMemory(listed);
    return chosen;
  }

  /** All memory that the optimizer was built over. */
  memories(): (TensorMemory | null)[] {
    return this.trained.flatMap(({ value, gradient }) => [value, gradient]);
  }

  /** Holds all memory, and gradients to come, to the device that computes. @throws DEVICE_MISMATCH */
  checkDevice(device: string): void {
    this.#device = device;
    this.check(new Map(this.trained.map((parameter) => [parameter, parameter])));
  }

  #checkGradient(gradient: unknown, { name, length }: Parameter): void {
    const owner = `the gradient of ${name}`;
    // A forgotten gradient must not pass for none.
    if (gradient === undefined) {
      throw invalid(owner, `${memoryName(this.#gradientType)}, or null for no gradient,`, gradient);
    }
    checkDevice(checkMemory(gradient, owner, length, this.#gradientType), owner, this.#device);
  }

  /**
   * A gradient that is zeroed while it is read as another one's would make the result depend on the order of threads.
   */
  #checkOwnMemory(gradients: readonly (TensorMemory | null)[]): void {
    checkOverlap(this.parameters.map((parameter, i) => ({ ...parameter, gradient: gradients[i] ?? null })));
  }

  /** The addon points at these now, which prepare() has returned. */
  use(gradients: StepGradients): void {
    if (gradients === undefined) return;
    this.#gradients = gradients;
    this.#moved = false;
    if (this.#suspects.length > 0) this.#suspects = [];
  }

  /** The addon was to point at these and failed, maybe half-way: the next step gives it all of its gradients. */
  suspect(gradients: StepGradients): void {
    if (gradients === undefined) return;
    this.#suspects.push(this.#gradients, gradients);
    this.#gradients = [];
  }

  /**
   * For a step on another thread with these gradients, or (undefined) those that the addon has. Of values those that
   * have a fixed length are known.
   *
   * @throws NOT_SHAREABLE for memory that may shrink meanwhile
   */
  checkFixed(chosen: StepGradients): void {
    const gradients = chosen ?? this.#gradients;
    for (const [row, { name }] of this.trained.entries()) {
      const value = this.#values[row] as TensorMemory;
      const gradient = gradients[row] as TensorMemory | null;
      if ((this.#valueLengths[row] as number) < 0 && !(value instanceof DeviceBuffer)) {
        checkFixed(value, `the value of ${name}`);
      }
      if (gradient !== null && !(gradient instanceof DeviceBuffer)) checkFixed(gradient, `the gradient of ${name}`);
    }
  }

  /** The buffers that a step works on are there until the returned function is called, disposed or not. */
  hold(): () => void {
    const buffers = [...this.#values, ...this.#gradients].filter((memory) => memory instanceof DeviceBuffer);
    for (const buffer of buffers) buffer.hold();
    return () => {
      for (const buffer of buffers) buffer.release();
    };
  }

  /** The rows whose parameters were in arrays that have lost their memory. */
  lostValues(): number[] {
    const isLost = (value: TensorMemory, row: number) =>
      !(value instanceof DeviceBuffer) && lengthOf(value) !== this.trained[row]?.length;
    return this.#values.flatMap((value, row) => (isLost(value, row) ? [row] : []));
  }

  /** @throws DETACHED, LENGTH_MISMATCH, DISPOSED when a parameter has lost its memory */
  checkValues(): void {
    const values = this.#values;
    const lengths = this.#valueLengths;
    for (let row = 0; row < values.length; row += 1) {
      const kept = lengths[row] as number;
      if (kept >= 0 && values[row]?.length === kept) continue;
      const { value, name, length } = this.trained[row] as Parameter;
      checkMemory(value, `the value of ${name}`, length);
    }
  }
}
