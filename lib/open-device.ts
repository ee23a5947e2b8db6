/** Devices that lend memory and streams. */

import { DeviceBuffer } from "./device-buffer.js";
import { type DType, dtypeKind, dtypes, type HostArray } from "./dtypes.js";
import { type DeviceInfo, native } from "./native.js";
import { Stream, streamOn } from "./stream.js";
import { boolean, integerFrom, type Kind, parse, parseRecord, text } from "./validate.js";

export interface AllocateOptions {
  /** The stream in whose order work on the buffer is put. @default the device's default stream */
  readonly stream?: Stream;
  /** Whether other processes can open it, by {@link DeviceBuffer.share}. @default false */
  readonly shareable?: boolean;
}

const streamKind: Kind<Stream> = { expected: "a Stream", accepts: (value) => value instanceof Stream };

/** A device that is there. */
export class Device {
  /** "cuda:0", "cpu:avx2" */
  readonly name: string;
  /** What stands before the colon. */
  readonly kind: string;
  /** The stream on which work is put that names no other. */
  readonly defaultStream: Stream;

  /** Not for users: {@link openDevice} makes devices. */
  constructor({ name, kind }: Pick<DeviceInfo, "name" | "kind">) {
    this.name = name;
    this.kind = kind;
    this.defaultStream = new Stream(new native.Stream(name));
  }

  /** Zeroed memory. @throws INVALID_ARGUMENT, DEVICE_MISMATCH, OUT_OF_MEMORY, CUDA */
  allocate<D extends DType>(dtype: D, length: number, options: AllocateOptions = {}): DeviceBuffer<D> {
    parse(dtypeKind, dtype, "dtype");
    parse(integerFrom(0), length, "length");
    const { stream = this.defaultStream, shareable = false } = parseRecord(options, "the options of allocate()", [
      "stream",
      "shareable",
    ]);
    return DeviceBuffer.of(dtype, length, {
      stream: streamOn(this.name, parse(streamKind, stream as Stream, "stream")),
      bytes: length * dtypes[dtype].bytes,
      ...(parse(boolean, shareable as boolean, "shareable") && { which: true }),
    });
  }

  /**
   * An array of zeros in host memory that this device copies from and to by itself (page-locked), for the Async forms
   * of buffers. It is freed when nobody sees it any more.
   *
   * @throws INVALID_ARGUMENT, OUT_OF_MEMORY, CUDA
   */
  allocateHost(length: number): HostArray<"float32">;
  allocateHost<D extends DType>(length: number, dtype: D): HostArray<D>;
  allocateHost(length: number, dtype: DType = "float32"): HostArray {
    const { array, bytes } = dtypes[parse(dtypeKind, dtype, "dtype")];
    return new array(native.allocateHost(this.name, parse(integerFrom(0), length, "length") * bytes));
  }

  /** A new order of work, beside that of the default stream. @throws CUDA */
  createStream(): Stream {
    return new Stream(new native.Stream(this.name, true));
  }
}

/**
 * The device that is named, the best of a kind, or with "auto" the best there is: a GPU before any CPU.
 *
 * @throws NO_DEVICE with the reason
 */
export function openDevice(name = "auto"): Device {
  parse(text, name, "device");
  const { device } = new native.Stream(name);
  return new Device({ name: device, kind: device.replace(/:.*/, "") });
}
