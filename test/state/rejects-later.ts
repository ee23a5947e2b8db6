import { expect } from "chai";
import { AdamWError, type ErrorCode } from "../../lib/index.js";

/** Expects a rejection with an AdamWError of that code whose message contains every one of `parts`. */
export async function rejectsLater(
  code: ErrorCode,
  promise: Promise<unknown>,
  ...parts: string[]
): Promise<AdamWError> {
  const error = await promise.then(
    (result) => expect.fail(`Expected an error but got ${String(result)}`),
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(AdamWError).with.property("code", code);
  for (const part of parts) expect((error as AdamWError).message).to.contain(part);
  return error as AdamWError;
}
