/** Types of stored elements, under the names of the safetensors format. */

export interface Dtype {
  readonly name: string;
  readonly bytes: number;
  /** Element `i` as a number; absent where float64 cannot hold every value. */
  get?(view: DataView, i: number): number;
}

/** Every type our own files and the foreign ones can have. */
export const dtypes: readonly Dtype[] = [
  { name: "F64", bytes: 8, get: (view, i) => view.getFloat64(8 * i, true) },
  { name: "F32", bytes: 4, get: (view, i) => view.getFloat32(4 * i, true) },
  { name: "F16", bytes: 2, get: (view, i) => halfToNumber(view.getUint16(2 * i, true)) },
  { name: "BF16", bytes: 2, get: (view, i) => bfloatToNumber(view.getUint16(2 * i, true)) },
  { name: "I64", bytes: 8, get: (view, i) => Number(view.getBigInt64(8 * i, true)) },
  { name: "I32", bytes: 4, get: (view, i) => view.getInt32(4 * i, true) },
  { name: "I16", bytes: 2, get: (view, i) => view.getInt16(2 * i, true) },
  { name: "I8", bytes: 1, get: (view, i) => view.getInt8(i) },
  { name: "U64", bytes: 8, get: (view, i) => Number(view.getBigUint64(8 * i, true)) },
  { name: "U32", bytes: 4, get: (view, i) => view.getUint32(4 * i, true) },
  { name: "U16", bytes: 2, get: (view, i) => view.getUint16(2 * i, true) },
  { name: "U8", bytes: 1, get: (view, i) => view.getUint8(i) },
  { name: "BOOL", bytes: 1, get: (view, i) => Number(view.getUint8(i) !== 0) },
  { name: "F8_E4M3", bytes: 1 },
  { name: "F8_E5M2", bytes: 1 },
];

const byName = new Map(dtypes.map((dtype) => [dtype.name, dtype]));

export function dtypeOf(name: unknown): Dtype | undefined {
  return byName.get(name as string);
}

const word = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of a float32. */
function bfloatToNumber(bits: number): number {
  word.setUint16(2, bits, true);
  word.setUint16(0, 0, true);
  return word.getFloat32(0, true);
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The elements of `bytes` as float32, each rounded to the nearest. */
export function toFloat32(dtype: Dtype, bytes: Uint8Array): Float32Array {
  const get = dtype.get;
  const to = new Float32Array(bytes.byteLength / dtype.bytes);
  if (!get) throw new TypeError(`${dtype.name} has no conversion`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < to.length; i += 1) to[i] = get(view, i);
  return to;
}

/** Whether a value can be an extent, an offset or a length. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** How many elements a shape has. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
