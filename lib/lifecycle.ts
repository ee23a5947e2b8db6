/**
 * Which calls an optimizer can take: it is not built yet, at rest, in a step, swapped with its averages, or disposed.
 */

import { Averages } from "./averages.js";
import type { Engine } from "./engine.js";
import { AdamWError } from "./errors.js";
import { refuseCapture } from "./stream.js";

export class Lifecycle {
  #engine: Engine | undefined;
  #averages: Averages | undefined;
  #disposed = false;
  /** Why everybody has to wait for a save, a load or the caller's code within a step. */
  #held: { readonly reason: string } | undefined;
  /** A load has failed half-way. */
  #incomplete = false;

  /** From now on the optimizer is built. */
  start(engine: Engine, useEma: boolean): void {
    this.#engine = engine;
    if (useEma) this.#averages = new Averages(engine);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws DISPOSED */
  checkAlive(): void {
    if (this.#disposed) throw new AdamWError("DISPOSED", "The optimizer was disposed");
  }

  /** The engine if there is one, whatever it is doing. @throws DISPOSED */
  get engine(): Engine | undefined {
    this.checkAlive();
    return this.#engine;
  }

  /** The engine, whatever it is doing. @throws DISPOSED, NOT_BUILT */
  get built(): Engine {
    if (this.engine) return this.engine;
    throw new AdamWError("NOT_BUILT", "The optimizer has no parameters yet: call build() first");
  }

  /** As ready, when the steps issued are done. @throws as ready, and what went wrong in them */
  get settled(): Engine {
    const engine = this.#unswapped(this.idle);
    engine.settle();
    return engine;
  }

  /** The engine while no step runs and nobody holds it. @throws DISPOSED, NOT_BUILT, BUSY, CHECKPOINT */
  get idle(): Engine {
    refuseCapture("anything but a step");
    return this.#whole(this.#free());
  }

  /** The engine while the parameters are the parameters: a step would take averages for them. @throws as idle */
  get ready(): Engine {
    return this.#unswapped(this.#whole(this.#free()));
  }

  /** As ready, even with a state that is incomplete. @throws DISPOSED, NOT_BUILT, BUSY */
  get loadable(): Engine {
    return this.#unswapped(this.#free());
  }

  #whole(engine: Engine): Engine {
    if (!this.#incomplete) return engine;
    throw new AdamWError("CHECKPOINT", "A load has failed half-way, the state is incomplete: load() again");
  }

  #free(): Engine {
    const engine = this.built;
    engine.checkIdle();
    this.checkHeld();
    return engine;
  }

  /** @throws BUSY while something keeps everybody out */
  checkHeld(): void {
    if (this.#held !== undefined) throw new AdamWError("BUSY", this.#held.reason);
  }

  #unswapped(engine: Engine): Engine {
    if (!this.#averages?.swapped) return engine;
    throw new AdamWError("BUSY", "The parameters hold their averages: call restoreEma() first");
  }

  /**
   * Keeps everything else out, with the reason, until the returned function is called; it can say that the state is
   * incomplete now, after which only loading is allowed, or whole again.
   *
   * @throws DISPOSED, NOT_BUILT; BUSY when something else keeps everything out, or a step runs
   */
  hold(reason: string): (left?: "whole" | "incomplete") => void {
    this.#free();
    const held = { reason };
    this.#held = held;
    return (left) => {
      // It may be called once more when somebody else has begun.
      if (this.#held === held) this.#held = undefined;
      if (left !== undefined) this.#incomplete = left === "incomplete";
    };
  }

  /** Undefined without useEma. @throws as idle */
  get averages(): Averages | undefined {
    return this.idle && this.#averages;
  }

  /** Frees what the optimizer keeps; once more is nothing. @throws BUSY */
  dispose(): void {
    refuseCapture("dispose()");
    this.checkHeld();
    this.#engine?.dispose();
    this.#engine = undefined;
    this.#averages = undefined;
    this.#disposed = true;
  }
}
