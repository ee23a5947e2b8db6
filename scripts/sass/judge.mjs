// Holds a kernel's counts to what its streams need, and to an H100.
import { hotLoop } from "./hot-loop.mjs";

/** NVIDIA's specification (SXM, 80 GB); the clock is what it sustains. `issue`: instructions' lanes per clock. */
const h100 = { multiprocessors: 132, clock: 1.755e9, bandwidth: 3.35e12, issue: 128 };

/** rule/layout.h's optional streams by their bit: each is read and written once. */
const streamNames = ["amsgrad", "moving average", "accumulation"];
const elementBytes = 4;
/** What any pipe may take of the memory's time: latencies need the rest. */
const mostTime = 0.5;

/** What a kernel is, by its mangled name. */
function identify(name) {
  const kernel = /^_ZN5adamw4cuda\d+([a-z_]+)/.exec(name)[1];
  const streams = /Lj(\d+)EE/.exec(name)?.[1];
  const set = streamNames.filter((_, bit) => (Number(streams) & (1 << bit)) !== 0);
  const layout = /6LayoutI(.*?)EELj/.exec(name)?.[1];
  const isFloat32 = layout === "NS_3F32ES3_S3_";
  return { kernel, set, isFloat32, title: [kernel, ...set, ...(layout && !isFloat32 ? [layout] : [])].join(", ") };
}

/**
 * Streams that a kernel loads and stores per element; `zeroing`: one that it stores only where gradients are zeroed.
 */
const norm = (set) => ({ loads: 1 + set.length, stores: 0, zeroing: 0 });
const step = (set) => ({ loads: 4 + set.length, stores: 3 + set.length, zeroing: 1 });
/** The passes over memory. The update is the loop that takes roots; accumulating and averaging alone are others. */
const passes = {
  norms: { traffic: norm, isHot: () => true },
  update: { traffic: step, isHot: (code) => code.some(({ opcode }) => opcode.startsWith("MUFU.RSQ")) },
  // What the benchmarks hold a step to: it must move memory as well as the step does.
  read_all: { traffic: norm, isHot: () => true },
  stream_all: { traffic: step, isHot: () => true },
};

/** A kernel as compiled → the same with its title, its counts per parameter and what is wrong with it. */
export function judge({ name, code, ...compiled }) {
  const { kernel, set, isFloat32, title } = identify(name);
  const faults = [];
  if (compiled.spills > 0 || compiled.stack > 0) faults.push(`${compiled.stack} bytes of local memory`);
  if (code.some(({ opcode }) => /^(LDL|STL)\b/.test(opcode))) faults.push("local memory is accessed");
  const pass = passes[kernel];
  // Traffic is counted in vectors of float32; of other layouts only spills are looked for.
  if (!pass || !isFloat32) return { ...compiled, kernel, set, title, faults };

  const streams = pass.traffic(set);
  const loop = hotLoop(code, pass.isHot);
  if (!loop) return { ...compiled, kernel, set, title, faults: [...faults, "no loop with 16-byte loads"] };
  const vectors = loop.loads / streams.loads;
  const elements = (16 / elementBytes) * vectors;
  if (!Number.isInteger(vectors)) faults.push(`${loop.loads} loads of 16 bytes, not ${streams.loads} for each vector`);
  const stores = loop.stores / vectors - streams.zeroing;
  if (stores !== streams.stores) faults.push(`${stores} stores of 16 bytes, not ${streams.stores}`);
  if (streams.stores > 0 && loop.narrow > 0) faults.push(`${loop.narrow} accesses of less than 16 bytes`);
  const bytes = ((loop.loads / vectors + stores) * 16) / (16 / elementBytes);
  // Seconds of memory are bytes / bandwidth; of a pipe, instructions / lanes / (multiprocessors × clock).
  const shareOf = (clocks) => ((clocks / elements) * h100.bandwidth) / (bytes * h100.multiprocessors * h100.clock);
  const perLane = { issue: loop.instructions / h100.issue, ...loop.perPipe };
  const shares = Object.fromEntries(Object.entries(perLane).map(([pipe, count]) => [pipe, shareOf(count)]));
  for (const [pipe, share] of Object.entries(shares)) {
    if (share >= mostTime) faults.push(`${pipe} takes ${(100 * share).toFixed(0)} % of the memory's time`);
  }
  const counts = { loads: loop.loads / vectors, stores, bytes, perElement: loop.instructions / elements, shares };
  return { ...compiled, kernel, set, title, counts, faults };
}
