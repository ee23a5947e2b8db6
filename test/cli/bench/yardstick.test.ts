import { expect } from "chai";
import { formats } from "../../../lib/cli/bench/formats.js";
import type { BenchDocument, BenchRow } from "../../../lib/cli/bench/result.js";
import { describeMachine } from "../../../lib/cli/machine.js";

/** A step of a second beside a stream that takes so long. */
function documentOf(streamSeconds: number): BenchDocument {
  const what = {
    name: "fused-adamw",
    work: "1 k",
    options: "default",
    device: "cpu:scalar",
    dtype: "float32",
  } as const;
  const row: Partial<BenchRow> = { ...what, parameters: 1000, tensors: 1, bytes: 28, streamBytes: 28, threads: 1 };
  const samples = { samples: [1, 1, 1], streamSamples: [streamSeconds, streamSeconds, streamSeconds] };
  const rows = [{ ...row, ...samples }] as unknown as BenchRow[];
  const rest = { machine: describeMachine(), streams: {}, absent: [], gpus: [], interrupted: false };
  return { ...rest, rows } as unknown as BenchDocument;
}

describe("a step that is faster than the stream beside it", () => {
  for (const format of ["table", "markdown"] as const) {
    it(`is explained in the ${format}, and there alone`, () => {
      expect(formats[format](documentOf(1.16)).replaceAll(/\s+/g, " "))
        .to.contain("116 %")
        .and.contain("the stream is a yardstick, not a bound");
      expect(formats[format](documentOf(0.99)))
        .to.contain("99 %")
        .and.not.contain("yardstick");
    });
  }
});
