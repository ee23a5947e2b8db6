/** TypeScript's library for ES2023 does not have them yet. */
type Resizable = ArrayBuffer & { resize(bytes: number): void };
export function resizable(bytes: number, maxByteLength: number): Resizable {
  return Reflect.construct(ArrayBuffer, [bytes, { maxByteLength }]) as Resizable;
}
