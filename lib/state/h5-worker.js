// @ts-check
/**
 * Reads and writes HDF5 for h5-process.ts, in a process of its own: the library is C in WebAssembly, and a hostile file
 * may make it loop, run out of memory or abort.
 *
 * JavaScript, so that the process needs no loader where the sources run as TypeScript: tsx rewrites the library's 4 MB
 * at every start, which took 6 s where the start itself takes 0.7.
 *
 * @import { Dataset, Group } from "h5wasm/node"
 * @import { H5Request, H5Value, H5Variable } from "./h5-process.js"
 */

const library = await import("h5wasm/node");
await library.ready;

/**
 * The types Keras writes, by HDF5's class of numbers (0 integer, 1 float, 5 opaque) and size.
 *
 * @type {Readonly<Record<string, string>>}
 */
const types = {
  "0/4": "I32",
  "0/8": "I64",
  "1/2": "F16",
  "1/4": "F32",
  "1/8": "F64",
  "5/2": "BF16",
};

process.on("message", (/** @type {H5Request} */ request) => {
  try {
    process.send?.({ id: request.id, result: run(request) });
  } catch (error) {
    process.send?.({ id: request.id, error: error instanceof Error ? error.message : String(error) });
  }
});
process.send?.({ id: 0, result: null });

/** @param {H5Request} request */
function run(request) {
  const file = new library.File(request.path, request.kind === "write" ? "a" : "r");
  // Opening throws nothing, and what is not open has nothing in it.
  if (file.file_id < 0n) throw new Error("the HDF5 library cannot open it");
  try {
    if (request.kind === "list") return file.keys();
    if (request.kind === "read") return request.groups.map((group) => readGroup(file, group, request.mostBytes));
    for (const { path, value } of request.values) write(file, path, value);
    return file.flush();
  } finally {
    file.close();
  }
}

/**
 * The datasets "0", "1" … of a group in the order of their numbers; null where there is no such group.
 *
 * @param {Group} file
 * @param {string} path
 * @param {number} mostBytes
 * @returns {H5Variable[] | null}
 */
function readGroup(file, path, mostBytes) {
  const group = file.get(path);
  if (!(group instanceof library.Group)) return null;
  const count = group.keys().length;
  let left = mostBytes;
  return Array.from({ length: count }, (_, i) => {
    const dataset = find(group, String(i), `${path}/${i}`);
    const { type, size, shape, total_size: elements, littleEndian } = dataset.metadata;
    const dtype = types[`${type}/${size}`];
    if (dtype === undefined || !littleEndian || shape === null)
      throw new Error(`${path}/${i} has a type Keras does not write`);
    left -= elements * size;
    if (left < 0) throw new Error(`${path}/${i} holds more than the file`);
    return { dtype, shape, bytes: bytesOf(dataset.value, dtype) };
  });
}

/**
 * @param {Group} group
 * @param {string} name
 * @param {string} path
 * @returns {Dataset}
 */
function find(group, name, path) {
  const dataset = group.get(name);
  if (!(dataset instanceof library.Dataset)) throw new Error(`${path} is missing or no dataset`);
  return dataset;
}

/**
 * Scalars come as plain numbers.
 *
 * @type {Readonly<Record<string, (value: number) => ArrayBufferView>>}
 */
const scalars = {
  I32: (value) => Int32Array.of(value),
  F32: (value) => Float32Array.of(value),
  F64: (value) => Float64Array.of(value),
};

/**
 * @param {unknown} value
 * @param {string} dtype
 */
function bytesOf(value, dtype) {
  const array =
    typeof value === "bigint" ? BigInt64Array.of(value) : typeof value === "number" ? scalars[dtype]?.(value) : value;
  if (ArrayBuffer.isView(array)) return new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
  throw new Error(`a value of type ${dtype} that Keras does not write`);
}

/**
 * @param {Group} file
 * @param {string} path
 * @param {H5Value} value
 */
function write(file, path, value) {
  const dataset = find(file, path, path);
  const shape = dataset.shape ?? [];
  dataset.write_slice(
    shape.map((extent) => [0, extent]),
    value,
  );
}
