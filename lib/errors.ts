/** The one error type of the package, its codes, and the sentence every argument error is made of. */

/** Every `code` an {@link AdamWError} can carry, with its meaning; the documentation lists exactly this table. */
export const errorCodes = {
  INVALID_ARGUMENT: "An argument has the wrong type or value, is unknown, or contradicts another one.",
  NOT_BUILT: "The optimizer needs its parameters first: call build().",
  ALREADY_BUILT: "The optimizer has its parameters already; use rebind() for other memory of the same lengths.",
  DETACHED: "A bound buffer was detached (transferred, or its WebAssembly memory grew); use rebind().",
  LENGTH_MISMATCH: "Two things that must have the same number of elements or entries do not.",
  BUSY: "A step, a save or a load has not finished, a step or a save is asking the caller's code (a rate, a configuration), or the parameters hold their averages.",
  DISPOSED: "The object was used after dispose().",
  NON_FINITE: 'A gradient is not finite and nonFinite is "throw"; nothing was changed.',
  NO_DEVICE: "The device asked for does not exist or cannot be used here; the message says why.",
  DEVICE_MISMATCH: "Memory of one device was given where another device works.",
  OUT_OF_MEMORY: "The host or the device has too little free memory.",
  CUDA: "The CUDA runtime or driver reported an error.",
  SCHEDULE_WINDOW: "A step lay outside the window of schedule values uploaded to the device and was not taken.",
  NOT_SHAREABLE: "The memory cannot be shared with the device or thread that needs it.",
  NOT_SERIALIZABLE: "An object has no name under which JSON could refer to it, such as an anonymous function.",
  CHECKPOINT: "A checkpoint is damaged, incomplete, or belongs to other parameters.",
  NATIVE: "The native addon could not be loaded, is of another version, or failed unexpectedly.",
  MISSING_PACKAGE: "An optional package is not installed; the message names it.",
  FILE: "A file could not be read or written; the message says why, `cause` what the system said.",
  ABORTED: "The operation was stopped by its AbortSignal.",
} as const;

/** One of the keys of {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes;

/** An error with a stable `code` to branch on; the message is for people and may change. */
export class AdamWError extends Error {
  override readonly name = "AdamWError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The error for a wrong argument: quotes its name, what was expected and what came.
 *
 * @example invalid("beta1", "a number in [0, 1)", 1.5).message
 * // "Expected a number in [0, 1) for beta1 but received 1.5"
 */
export function invalid(name: string, expected: string, received: unknown): AdamWError {
  return unexpected(`${expected} for ${name}`, received);
}

/** The same for what is expected of several arguments together, or says itself what it is for. */
export function unexpected(expected: string, received: unknown): AdamWError {
  return new AdamWError("INVALID_ARGUMENT", `Expected ${expected} but received ${describe(received)}`);
}

/** "a", "a or b", "a, b or c" */
export function either(choices: readonly string[], or = "or"): string {
  return [choices.slice(0, -1).join(", "), ...choices.slice(-1)].filter((part) => part !== "").join(` ${or} `);
}

const longestText = 60;
const mostEntries = 4;

/** "a, b, c, d and 3 more": at most `most` of them. */
export function some(names: readonly string[], most: number = mostEntries): string {
  const more = names.length > most ? ` and ${names.length - most} more` : "";
  return names.slice(0, most).join(", ") + more;
}

/** A short rendering of any value that never throws, whatever its getters, prototype or proxy handlers do. */
export function describe(value: unknown): string {
  try {
    return render(value, 0);
  } catch {
    return "an object that cannot be inspected";
  }
}

function render(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > longestText ? `${value.slice(0, longestText)}…` : value);
    case "bigint":
      return `${value}n`;
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "function":
      return value.name ? `function ${value.name}` : "an anonymous function";
    case "object":
      return value === null ? "null" : renderObject(value, depth);
    default:
      return String(value);
  }
}

function renderObject(value: object, depth: number): string {
  if (value instanceof RegExp || value instanceof Error) return String(value);
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name}(${"length" in value ? value.length : value.byteLength})`;
  }
  if (Array.isArray(value)) {
    if (depth > 1) return `an array of ${value.length}`;
    // Array.from reads holes as undefined.
    return enclose(
      "[",
      Array.from(value.slice(0, mostEntries), (item) => render(item, depth + 1)),
      value.length,
      "]",
    );
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return `an instance of ${prototype.constructor.name}`;
  const keys = Object.keys(value);
  if (depth > 1) return `an object of ${keys.length} keys`;
  const shown = keys.slice(0, mostEntries).map((key) => `${key}: ${render(Reflect.get(value, key), depth + 1)}`);
  return keys.length === 0 ? "{}" : enclose("{ ", shown, keys.length, " }");
}

function enclose(open: string, shown: string[], total: number, close: string): string {
  const rest = total - shown.length;
  return `${open}${shown.join(", ")}${rest > 0 ? `, … ${rest} more` : ""}${close}`;
}
