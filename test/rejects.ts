import { expect } from "chai";
import { AdamWError, type ErrorCode } from "../lib/errors.js";

/** Expects an `INVALID_ARGUMENT` whose message contains every one of `parts`. */
export function rejects(act: () => unknown, ...parts: string[]): void {
  rejectsWith("INVALID_ARGUMENT", act, ...parts);
}

/** Expects an AdamWError of that code whose message contains every one of `parts`. */
export function rejectsWith(code: ErrorCode, act: () => unknown, ...parts: string[]): void {
  const error = thrownBy(act);
  expect(error).to.be.instanceOf(AdamWError).with.property("code", code);
  for (const part of parts) expect((error as AdamWError).message).to.contain(part);
}

function thrownBy(act: () => unknown): unknown {
  let result: unknown;
  try {
    result = act();
  } catch (error) {
    return error;
  }
  return expect.fail(`Expected an error but got ${String(result)}`);
}

/** Expects a promise to reject with an AdamWError of that code whose message contains every one of `parts`. */
export async function rejectsLater(code: ErrorCode, promise: Promise<unknown>, ...parts: string[]): Promise<void> {
  const settled = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  rejectsWith(
    code,
    () => {
      if ("error" in settled) throw settled.error;
      return settled.value;
    },
    ...parts,
  );
}
