import { expect } from "chai";
import { devices, openDevice } from "../lib/index.js";

const length = 4096;

describe("Buffers of cuda:0 and cuda:1", () => {
  before(function () {
    const found = devices().filter(({ kind, available }) => kind === "cuda" && available);
    if (found.length > 1) return;
    console.log("buffers of two GPUs: skipped: there are not two");
    this.skip();
  });

  for (const streams of ["default", "own"] as const) {
    for (const others of ["default", "own"] as const) {
      it(`are copied in the order of both streams, a ${streams} and an ${others} one, cuda:0 to cuda:1`, () => {
        const [first, second] = [openDevice("cuda:0"), openDevice("cuda:1")];
        const from = first.allocate("float32", length, streams === "own" ? { stream: first.createStream() } : {});
        const to = second.allocate("float32", length, others === "own" ? { stream: second.createStream() } : {});
        from.fill(1);
        to.copyFrom(from);
        // This must come after the copy, and the copy after what came before.
        from.fill(2);
        expect([to.read()[0], to.read().at(-1), from.read()[0]]).to.deep.equal([1, 1, 2]);
        from.copyFrom(to);
        to.fill(3);
        expect([from.read()[0], to.read()[0]]).to.deep.equal([1, 3]);
        for (const buffer of [from, to]) buffer.dispose();
      });
    }
  }

  it("wait for events of the other, cuda:0 for cuda:1", () => {
    const [first, second] = [openDevice("cuda:0"), openDevice("cuda:1")];
    const stream = first.createStream();
    const from = first.allocate("float32", length, { stream }).fill(5);
    const to = second.allocate("float32", length);
    second.defaultStream.wait(stream.record());
    to.copyFrom(from);
    expect(to.read()[0]).to.equal(5);
    for (const buffer of [from, to]) buffer.dispose();
  });
});
