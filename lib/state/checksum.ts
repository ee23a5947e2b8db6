/** The checksum of tensors and headers: CRC-32 as in zip and gzip, which Node computes at several GB/s. */

import { crc32 } from "node:zlib";

/** What stands for a checksum that is not known yet; as long as every other. */
export const unknownChecksum = "00000000";

/** The checksum of bytes that come in parts. */
export class Checksum {
  #value = 0;

  update(bytes: Uint8Array): void {
    this.#value = crc32(bytes, this.#value);
  }

  /** Eight hexadecimal digits. */
  get text(): string {
    return this.#value.toString(16).padStart(8, "0");
  }
}

export function checksumOf(text: string): string {
  const checksum = new Checksum();
  checksum.update(Buffer.from(text));
  return checksum.text;
}
