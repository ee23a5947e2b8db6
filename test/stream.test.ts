import { fork } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";
import { AdamW, DeviceBuffer, devices, type Event, openDevice, Stream } from "../lib/index.js";
import { rejects, rejectsLater, rejectsWith } from "./rejects.js";

const usable = devices().filter(({ available }) => available);

for (const name of new Set([usable[0]!.name, "cpu:scalar"])) {
  describe(`A stream of ${name}`, () => {
    const device = openDevice(name);
    const filled = (stream: Stream, ...values: number[]) =>
      device.allocate("float32", values.length, { stream }).write(Float32Array.from(values));

    it("says its device, and marks what is done", async () => {
      const stream = device.createStream();
      expect(stream.device).to.equal(name);
      const begin = stream.record();
      const buffer = device.allocate("float32", 1000, { stream }).fill(3);
      const end = stream.record();
      expect(end.since(begin)).to.be.at.least(0);
      expect([begin.done, end.done]).to.deep.equal([true, true]);
      expect(buffer.read()[999]).to.equal(3);
      await stream.record().synchronizeAsync();
      await stream.synchronizeAsync();
      stream.synchronize();
    });

    it("keeps its own order and joins another's at an event", () => {
      const [first, second] = [device.createStream(), device.createStream()];
      const from = device.allocate("float32", 4, { stream: first }).fill(1);
      const to = device.allocate("float32", 4, { stream: second });
      second.wait(first.record());
      to.copyFrom(from);
      from.fill(2);
      expect([...to.read(), ...from.read()]).to.deep.equal([1, 1, 1, 1, 2, 2, 2, 2]);
    });

    it("copies to and from the host with the event loop free, in its order", async () => {
      const stream = device.createStream();
      const buffer = device.allocate("float32", 3, { stream });
      const values = Float32Array.of(1, 2, 3);
      const written = buffer.writeAsync(values);
      values.fill(0); // the values had been taken
      const read = buffer.readAsync();
      const part = buffer.slice(1).readAsync(new Float32Array(1), 1);
      buffer.fill(9);
      await written;
      expect([...(await read)]).to.deep.equal([1, 2, 3]);
      expect([...(await part)]).to.deep.equal([3]);
      expect([...buffer.read()]).to.deep.equal([9, 9, 9]);
      await rejectsLater("LENGTH_MISMATCH", buffer.writeAsync(new Float32Array(4)), "3", "4");
    });

    it("copies arrays that the device reaches by itself", async () => {
      const host = device.allocateHost(4);
      expect([...host]).to.deep.equal([0, 0, 0, 0]);
      host.set([1, 2, 3, 4]);
      const buffer = device.allocate("float32", 4);
      await buffer.writeAsync(host);
      host.fill(0);
      expect([...(await buffer.readAsync(host))]).to.deep.equal([1, 2, 3, 4]);
    });

    it("orders steps on it with buffers of other streams", () => {
      const [mine, theirs] = [device.createStream(), device.createStream()];
      const value = filled(theirs, 1, 2, 3);
      const gradient = device.allocate("float32", 3, { stream: theirs });
      const optimizer = new AdamW({ learningRate: 0.5, weightDecay: 0 }, { stream: mine });
      optimizer.build([{ name: "w", value, gradient }]);
      expect(optimizer.device).to.equal(name);
      for (const sign of [1, -1, 1]) {
        gradient.fill(sign);
        optimizer.step();
        gradient.fill(Number.NaN);
      }
      const expected = Float32Array.of(1, 2, 3);
      const reference = new AdamW({ learningRate: 0.5, weightDecay: 0 }, { device: "cpu" });
      reference.build([{ name: "w", value: expected }]);
      for (const sign of [1, -1, 1]) reference.apply([new Float32Array(3).fill(sign)]);
      expect([...value.read()]).to.deep.equal([...expected]);
    });

    it("is kept by what works on it, and takes no new work once disposed", () => {
      const stream = device.createStream();
      const buffer = filled(stream, 1, 2);
      const optimizer = new AdamW({}, { stream }).build([{ name: "w", value: buffer, gradient: filled(stream, 1, 1) }]);
      optimizer.step();
      stream.dispose();
      stream.dispose();
      expect(buffer.read()[0]).to.be.below(1);
      rejectsWith("DISPOSED", () => stream.record());
      rejectsWith("DISPOSED", () => stream.pointer);
      rejectsWith("DISPOSED", () => optimizer.step(), "stream");
      expect(optimizer.iterations).to.equal(1);
      optimizer.dispose();
    });

    it("takes nothing for a stream, an event or work that is none", () => {
      const stream = device.createStream();
      rejects(() => stream.wait({} as Event), "event");
      rejects(() => stream.record().since(1 as unknown as Event), "begin");
      rejects(() => stream.capture(1 as unknown as () => void), "work");
      rejects(() => Stream.fromPointer({ device: name, pointer: -1n }), "pointer");
      rejects(() => new AdamW({}, { stream: "x" as unknown as Stream }), "stream");
      rejects(() => device.allocate("float32", 1, { stream: 1 as unknown as Stream }), "stream");
      expect(Stream.fromPointer({ device: name, pointer: 0 }).pointer).to.equal(0n);
    });

    it("belongs to one device", function () {
      const other = usable.find((candidate) => candidate.name !== name);
      if (!other) {
        console.log("two devices: skipped: there is one");
        this.skip();
      }
      const stream = openDevice(other.name).createStream();
      rejectsWith("DEVICE_MISMATCH", () => device.allocate("float32", 1, { stream }), name, other.name);
      const optimizer = new AdamW({}, { device: name, stream });
      rejectsWith("DEVICE_MISMATCH", () => optimizer.build([{ name: "w", value: new Float32Array(1) }]), other.name);
    });
  });

  describe(`A graph on ${name}`, () => {
    const device = openDevice(name);

    /** `steps` called `replays` times, and as many steps without a graph on the CPU. */
    function both(options: ConstructorParameters<typeof AdamW>[0], change: (optimizer: AdamW, at: number) => void) {
      const initial = Float32Array.from({ length: 1003 }, (_, i) => Math.sin(i));
      const gradients = Float32Array.from({ length: 1003 }, (_, i) => Math.cos(3 * i));
      const replays = 12;

      const expected = initial.slice();
      const reference = new AdamW(options, { device: "cpu:scalar" });
      reference.build([{ name: "w", value: expected, gradient: gradients }]);
      for (let i = 0; i < replays; i += 1) {
        change(reference, i);
        reference.step();
      }

      const stream = device.createStream();
      const place = (values: Float32Array) => device.allocate("float32", values.length, { stream }).write(values);
      const value = place(initial);
      const optimizer = new AdamW(options, { stream });
      optimizer.build([{ name: "w", value, gradient: place(gradients) }]);
      const graph = stream.capture(() => {
        expect(optimizer.step()).to.equal(undefined);
      });
      expect(optimizer.iterations).to.equal(0);
      for (let i = 0; i < replays; i += 1) {
        change(optimizer, i);
        graph.launch();
      }
      expect(optimizer.iterations).to.equal(reference.iterations);
      optimizer.synchronize();
      expect(optimizer.report).to.deep.equal(reference.report);
      expect([...value.read()]).to.deep.equal([...expected]);
      return { graph, optimizer, stream };
    }

    it("goes on with the counts, and takes a new learning rate", () => {
      both({ globalClipnorm: 1, useEma: true }, (optimizer, at) => {
        optimizer.learningRate = 0.01 / (at + 1);
      });
    });

    it("follows schedules through accumulation", () => {
      const schedule = { at: (step: number) => 0.1 / (1 + step), getConfig: () => ({}) };
      both({ learningRate: schedule, weightDecay: schedule, gradientAccumulationSteps: 3 }, () => {});
    });

    it("refuses to be another optimizer's step", () => {
      const { graph, optimizer, stream } = both({}, () => {});
      if (device.kind === "cuda") {
        optimizer.excludeFromWeightDecay({ names: ["w"] });
        rejects(() => graph.launch(), "capture it again");
      }
      optimizer.dispose();
      rejectsWith("DISPOSED", () => graph.launch());
      graph.dispose();
      rejectsWith("DISPOSED", () => graph.launch(), "graph");
      rejects(() => stream.capture(() => {}), "step()");
    });

    it("holds steps alone, of optimizers on its stream", () => {
      const stream = device.createStream();
      const gradient = device.allocate("float32", 2);
      const build = (runtime: ConstructorParameters<typeof AdamW>[1]) =>
        new AdamW({}, runtime).build([{ name: "w", value: device.allocate("float32", 2), gradient }]);
      const optimizer = build({ stream });
      const elsewhere = build({ device: name });
      rejects(() => stream.capture(() => elsewhere.step()), "{ stream }");
      rejects(() => stream.capture(() => optimizer.apply([gradient])), "step()");
      rejects(() => stream.capture(async () => optimizer.step()), "work that is done when it returns");
      rejectsWith("BUSY", () => stream.capture(() => gradient.fill(0)), "fill()");
      rejectsWith("BUSY", () => stream.capture(() => stream.synchronize()));
      rejectsWith("BUSY", () => stream.capture(() => optimizer.synchronize()));
      const graph = stream.capture(() => optimizer.step());
      rejectsWith("BUSY", () => stream.capture(() => graph.launch()), "a launch");
      graph.launch();
      graph.launch();
      expect([optimizer.iterations, elsewhere.iterations]).to.deep.equal([2, 0]);
    });
  });
}

const { name } = usable[0]!;
describe(`Memory of other libraries on ${name}`, () => {
  const device = openDevice(name);

  it("is taken by its __cuda_array_interface__, and given by it", () => {
    const owner = device.allocate("float32", 6).write(Float32Array.of(1, 2, 3, 4, 5, 6));
    const { __cuda_array_interface__: given } = owner;
    expect(given).to.deep.include({ shape: [6], typestr: "<f4", data: [owner.pointer, false], version: 3 });
    const array = (changes: object) => ({ __cuda_array_interface__: { ...given, stream: null, ...changes } });
    const taken = DeviceBuffer.fromPointer(array({ shape: [2, 3], strides: [12, 4] }), name);
    expect([...taken.read()]).to.deep.equal([1, 2, 3, 4, 5, 6]);
    rejects(() => DeviceBuffer.fromPointer(array({ typestr: "<f8" }), name), "typestr", "<f4");
    rejects(() => DeviceBuffer.fromPointer(array({ strides: [8] }), name), "strides");
    rejects(() => DeviceBuffer.fromPointer(array({ data: [owner.pointer, true] }), name), "data");
  });

  it("is worked on in the order of its owner's stream", () => {
    const stream = device.createStream();
    const owner = device.allocate("float32", 2, { stream }).write(Float32Array.of(1, 2));
    const { pointer } = owner;
    const taken = DeviceBuffer.fromPointer({ device, pointer, dtype: "float32", length: 2, owner, stream });
    owner.fill(7);
    expect([...taken.read()]).to.deep.equal([7, 7]);
    const bad = () => DeviceBuffer.fromPointer({ device, pointer, dtype: "float32", length: 2, stream: -1 });
    rejects(bad, "stream");
  });

  it("is shared between processes only if it was allocated for that, and on a GPU", () => {
    rejectsWith("NOT_SHAREABLE", () => device.allocate("float32", 1).share());
    rejects(() => DeviceBuffer.open({} as never), "device");
    if (device.kind === "cuda") return;
    rejectsWith("NOT_SHAREABLE", () => device.allocate("float32", 1, { shareable: true }).share());
  });

  it("is opened by another process, and changed there", async function () {
    if (device.kind !== "cuda" || usable[0]!.model.includes("emulator")) {
      console.log("sharing between processes: skipped: needs a GPU");
      this.skip();
    }
    const whole = device.allocate("float32", 3, { shareable: true }).write(Float32Array.of(1, 2, 3));
    const child = fork(new URL("workers/open-shared.mjs", import.meta.url));
    child.send(JSON.parse(JSON.stringify(whole.slice(1).share())));
    const [values] = await once(child, "message");
    expect(values).to.deep.equal([2, 3]);
    await once(child, "exit");
    expect([...whole.read()]).to.deep.equal([1, 4, 6]);
  });
});
