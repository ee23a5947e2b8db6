/** An order of work on a device, marks in it, and steps recorded to be repeated. */

import { AdamWError, invalid, unexpected } from "./errors.js";
import { type NativeEvent, type NativeGraph, type NativeStream, native } from "./native.js";
import { integerFrom, type Kind, parse, parseRecord, text } from "./validate.js";

/** What CUDA calls a stream: an address, or one of the small numbers that stand for default streams. */
export const streamPointer: Kind<bigint | number> = {
  expected: "a stream as a bigint or an integer ≥ 0, but not 2 (cudaStreamPerThread, which is another in every thread)",
  accepts: (value) =>
    value !== 2 &&
    value !== 2n &&
    (typeof value === "bigint" ? value >= 0n && value < 2n ** 64n : integerFrom(0).accepts(value)),
};

/** A step that a graph repeats. What it needs goes to the device before the launch, what it did comes back after. */
export interface CapturedStep {
  /** @throws what keeps the step from being repeated; nothing has happened then */
  prepare(): void;
  depart(): void;
}

/** The capture at hand: JavaScript has one thread, and a capture is over when its function returns. */
let capture: { stream: Stream; steps: CapturedStep[] } | undefined;

/**
 * Work put on a stream is done in its order. On a CPU device everything is done when a call returns, so one program
 * runs on both.
 *
 * @example
 * const stream = openDevice("auto").createStream();
 * const optimizer = new AdamW({}, { stream });
 */
export class Stream {
  /** The device it belongs to: "cuda:0". */
  readonly device: string;
  #native: NativeStream | undefined;

  /** Not for users: {@link Device.createStream} and {@link Stream.fromPointer} make streams. */
  constructor(stream: NativeStream) {
    this.#native = stream;
    this.device = stream.device;
  }

  /**
   * A stream that another library made, and destroys after everything here that works on it.
   *
   * @throws INVALID_ARGUMENT, NO_DEVICE
   */
  static fromPointer(memory: { readonly device: string; readonly pointer: bigint | number }): Stream {
    const { device, pointer } = parseRecord(memory, "the stream", ["device", "pointer"]);
    const name = parse(text, device, "device");
    return new Stream(new native.Stream(name, BigInt(parse(streamPointer, pointer, "pointer") as bigint | number)));
  }

  /** CUDA's handle; 0n for a default stream. @throws DISPOSED */
  get pointer(): bigint {
    return this.native.pointer;
  }

  /** The addon's stream, for what works on it. @throws DISPOSED */
  get native(): NativeStream {
    if (this.#native) return this.#native;
    throw new AdamWError("DISPOSED", "The stream was disposed");
  }

  get disposed(): boolean {
    return this.#native === undefined;
  }

  /** A mark after everything put here so far. @throws DISPOSED, CUDA */
  record(): Event {
    return new Event(new native.Event(this.#uncaptured()));
  }

  /** What is put here from now on comes after the event, which may be another stream's. @throws DISPOSED, CUDA */
  wait(event: Event): void {
    if (!(event instanceof Event)) throw invalid("event", "an Event", event);
    event.native.hold(this.#uncaptured());
  }

  /** Returns when everything put here so far is done. @throws DISPOSED, CUDA */
  synchronize(): void {
    this.#uncaptured().synchronize();
  }

  /** The same, with the event loop free. @throws DISPOSED, CUDA */
  async synchronizeAsync(): Promise<void> {
    await this.record().synchronizeAsync();
  }

  /**
   * The steps that `work` calls, of optimizers on this stream and with gradients that are bound, as one graph: they are
   * not done now but at each launch. Schedules, learning rates, loss scales and the counts go on from launch to launch.
   *
   * @example
   * const graph = stream.capture(() => optimizer.step());
   * graph.launch();
   *
   * @throws INVALID_ARGUMENT, BUSY, DISPOSED, CUDA
   */
  capture(work: () => void): Graph {
    if (typeof work !== "function") throw invalid("work", "a function", work);
    const graph = new native.Graph(this.#uncaptured());
    const steps: CapturedStep[] = [];
    capture = { stream: this, steps };
    try {
      const result: unknown = work();
      if (result instanceof Promise) throw unexpected("work that is done when it returns", result);
      if (steps.length === 0) throw unexpected("work that calls step() of an optimizer", work);
    } catch (error) {
      graph.dispose();
      throw error;
    } finally {
      capture = undefined;
    }
    graph.finish();
    return new Graph(graph, steps);
  }

  /** What works on it keeps it until that is disposed too. */
  dispose(): void {
    if (this.#native) this.#uncaptured();
    this.#native = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #uncaptured(): NativeStream {
    if (capture) throw new AdamWError("BUSY", "A stream is being captured: only steps can be captured");
    return this.native;
  }
}

/** A stream given by its object or its handle; undefined: the device's default one. @throws DEVICE_MISMATCH */
export function streamOn(device: string, stream: Stream | bigint | undefined): NativeStream {
  if (!(stream instanceof Stream)) return new native.Stream(device, stream);
  const wanted = new native.Stream(device).device;
  if (stream.device === wanted) return stream.native;
  throw new AdamWError("DEVICE_MISMATCH", `Expected a stream of ${wanted} but received one of ${stream.device}`);
}

/** Work that only makes sense outside a capture is about to begin. @throws BUSY */
export function refuseCapture(what: string): void {
  if (capture) throw new AdamWError("BUSY", `A stream is being captured, and ${what} cannot be part of a graph`);
}

/**
 * Where steps go that are called now: undefined, they are done.
 *
 * @throws DISPOSED; INVALID_ARGUMENT for an optimizer that works on another stream than the one being captured
 */
export function capturing(stream: Stream): CapturedStep[] | undefined {
  if (stream.disposed) throw new AdamWError("DISPOSED", "The stream of the optimizer was disposed");
  if (!capture) return undefined;
  if (capture.stream === stream) return capture.steps;
  const message =
    "Expected steps of optimizers made with { stream } of the stream being captured, but one is on another";
  throw new AdamWError("INVALID_ARGUMENT", message);
}

/** A mark in the order of a stream; it also says when it was passed. */
export class Event {
  readonly native: NativeEvent;

  /** Not for users: {@link Stream.record} makes events. */
  constructor(event: NativeEvent) {
    this.native = event;
  }

  /** Whether everything before it is done. @throws CUDA */
  get done(): boolean {
    return this.native.done;
  }

  /** Returns when everything before it is done. @throws CUDA */
  synchronize(): void {
    this.native.synchronize();
  }

  /** The same, with the event loop free. @throws CUDA */
  synchronizeAsync(): Promise<void> {
    return this.native.synchronizeAsync();
  }

  /** Milliseconds on the device from `begin` to this. Waits for both. @throws INVALID_ARGUMENT, CUDA */
  since(begin: Event): number {
    if (!(begin instanceof Event)) throw invalid("begin", "an Event", begin);
    begin.synchronize();
    this.synchronize();
    return this.native.since(begin.native);
  }
}

/** Captured steps, done anew at each launch: one call for all of them. */
export class Graph {
  #native: NativeGraph | undefined;
  readonly #steps: readonly CapturedStep[];

  /** Not for users: {@link Stream.capture} makes graphs. */
  constructor(graph: NativeGraph, steps: readonly CapturedStep[]) {
    this.#native = graph;
    this.#steps = steps;
  }

  /**
   * Puts the steps on the stream, without waiting.
   *
   * @throws DISPOSED; BUSY; INVALID_ARGUMENT when an optimizer has changed so that its step is another one; CUDA
   */
  launch(): void {
    if (!this.#native) throw new AdamWError("DISPOSED", "The graph was disposed");
    refuseCapture("a launch");
    for (const step of this.#steps) step.prepare();
    this.#native.launch();
    // All of them are on the stream now, whatever becomes of one.
    const failures: unknown[] = [];
    for (const step of this.#steps) {
      try {
        step.depart();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  dispose(): void {
    this.#native?.dispose();
    this.#native = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
