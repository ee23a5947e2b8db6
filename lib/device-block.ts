/** A block of a device's memory, which a buffer and its parts share. */

import { AdamWError } from "./errors.js";
import { type NativeBuffer, type NativeStream, native } from "./native.js";
import { refuseCapture } from "./stream.js";

/** How to make the block of a new buffer. */
export interface BlockSource {
  readonly stream: NativeStream;
  readonly bytes: number;
  readonly which?: true | bigint | Uint8Array;
  /** Kept alive as long as the block. */
  readonly owner?: unknown;
}

export class DeviceBlock {
  /** The stream in whose order work on it is put. */
  readonly stream: NativeStream;
  readonly owner: unknown;
  readonly #native: NativeBuffer;
  readonly #pointer: bigint;
  #disposed = false;
  /** Work on other threads that is not done. */
  #holders = 0;

  constructor({ stream, bytes, which, owner }: BlockSource) {
    this.#native = new native.Buffer(stream, bytes, which);
    this.#pointer = this.#native.pointer;
    this.stream = stream;
    this.owner = owner;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Where it begins in the device's address space. @throws DISPOSED */
  get pointer(): bigint {
    this.#checkAlive();
    return this.#pointer;
  }

  /** The name under which another process can open it. @throws NOT_SHAREABLE, DISPOSED, CUDA */
  share(): Uint8Array {
    this.#checkAlive();
    return this.#native.share();
  }

  /** The addon's buffer, for work that the user calls `what`. @throws BUSY in a capture, DISPOSED */
  work(what: string): NativeBuffer {
    refuseCapture(what);
    this.#checkAlive();
    return this.#native;
  }

  /** For work whose end no stream knows: the memory is there until release(), disposed or not. */
  hold(): void {
    this.#holders += 1;
  }

  /** The work of one hold() is done. */
  release(): void {
    this.#holders -= 1;
    if (this.#disposed) this.#free();
  }

  /** Frees the memory after the work on it; memory of another library is only let go. @throws BUSY in a capture */
  dispose(): void {
    refuseCapture("dispose()");
    this.#disposed = true;
    this.#free();
  }

  #free(): void {
    if (this.#holders === 0) this.#native.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new AdamWError("DISPOSED", "The buffer was disposed");
  }
}
