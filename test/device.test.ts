import { availableParallelism } from "node:os";
import { expect } from "chai";
import { AdamW } from "../lib/adamw.js";
import { devices, parseRuntime, type RuntimeOptions } from "../lib/device.js";
import { rejects, rejectsWith } from "./rejects.js";

const parameters = () => [{ name: "a", value: Float32Array.of(1, 2, 3), gradient: Float32Array.of(3, 2, 1) }];
const build = (runtime: RuntimeOptions) => new AdamW({}, runtime).build(parameters());

describe("devices", () => {
  it("are listed with their kind, and with a reason exactly where one is missing", () => {
    const names = devices().map(({ name }) => name);
    expect(names).to.include.members(["cpu:avx512", "cpu:avx2", "cpu:neon", "cpu:scalar"]);
    for (const { name, kind, available, reason } of devices()) {
      expect(name.split(":")[0]).to.equal(kind);
      expect(reason === "", name).to.equal(available);
    }
    expect(devices().find(({ name }) => name === "cpu:scalar")?.available).to.equal(true);
  });

  it("are the best there is by default and by kind", () => {
    const best = devices().find(({ available, kind }) => available && kind === "cpu")?.name;
    expect(build({}).device).to.equal(best);
    expect(build({ device: "auto" }).device).to.equal(best);
    expect(build({ device: "cpu" }).device).to.equal(best);
  });

  for (const { name, available, reason } of devices()) {
    it(`${name} can be forced by name, ${available ? "and steps" : "but is missing here, and build says why"}`, () => {
      if (!available) return rejectsWith("NO_DEVICE", () => build({ device: name }), name, reason);
      const optimizer = build({ device: name });
      expect(optimizer.device).to.equal(name);
      optimizer.step();
      expect(optimizer.iterations).to.equal(1);
    });
  }

  for (const { name, kind, reason } of devices().filter(({ name, kind }) => name === kind)) {
    it(`${name} is missing whatever number follows it, and build says why`, () => {
      rejectsWith("NO_DEVICE", () => build({ device: `${kind}:1` }), `"${kind}:1" on this machine`, reason);
    });
  }

  it("that do not exist are an error that lists those that do, and the optimizer stays unbuilt", () => {
    const optimizer = new AdamW({}, { device: "tpu:0" });
    rejectsWith("NO_DEVICE", () => optimizer.build(parameters()), '"tpu:0"', "cpu:scalar", "auto");
    expect(optimizer.built).to.equal(false);
  });
});

describe("threads", () => {
  const before = process.env.FUSED_ADAMW_THREADS;
  afterEach(() => {
    if (before === undefined) delete process.env.FUSED_ADAMW_THREADS;
    else process.env.FUSED_ADAMW_THREADS = before;
  });

  it("are a whole number, and the device a name", () => {
    for (const threads of [0, -1, 1.5, 1025, Number.NaN, Infinity, "2", null]) {
      rejects(() => new AdamW({}, { threads: threads as number }), "threads", "an integer from 1 to 1024");
    }
    rejects(() => new AdamW({}, { device: "" }), "device");
    rejects(() => new AdamW({}, { device: 0 as never }), "device");
    rejects(() => new AdamW({}, null as never), "the runtime options");
  });

  it("come from the environment unless the option names them", () => {
    process.env.FUSED_ADAMW_THREADS = "3";
    expect(parseRuntime({})).to.include({ device: "auto", threads: 3 });
    expect(parseRuntime({ threads: 2 }).threads).to.equal(2);
    process.env.FUSED_ADAMW_THREADS = "";
    expect(parseRuntime({}).threads).to.equal(availableParallelism());
  });

  it("of the environment that are none are an error, too", () => {
    for (const wrong of ["0", "-2", "two", "1e3", "2.5", " 2", "9999"]) {
      process.env.FUSED_ADAMW_THREADS = wrong;
      rejects(() => new AdamW(), "FUSED_ADAMW_THREADS", "an integer from 1 to 1024");
    }
  });

  it("change no bit of the result", () => {
    const length = 300_000;
    const results = [1, 2, 3, 5].map((threads) => {
      const value = Float32Array.from({ length }, (_, i) => Math.sin(i));
      const gradient = Float32Array.from({ length }, (_, i) => Math.cos(i));
      const optimizer = new AdamW({ globalClipnorm: 1 }, { threads }).build([{ name: "a", value, gradient }]);
      optimizer.step();
      return Buffer.from(value.buffer);
    });
    for (const result of results) expect(Buffer.compare(result, results[0] as Buffer)).to.equal(0);
  });
});
