/** What is measured, as rows of data. */

/** What a step does besides AdamW, and the memory traffic that this takes at least. */
export interface Work {
  readonly description: string;
  /** Bytes per parameter and step: float32 streams read and written, none twice. */
  readonly bytes: number;
  /** The streams of `bytes`, for the report. */
  readonly streams: string;
}

export const works = {
  step: {
    description: "AdamW",
    bytes: 28,
    streams: "read p, g, m, v; write p, m, v",
  },
  pipeline: {
    description: "unscale + clip by global norm + AdamW + EMA + zero gradients",
    bytes: 44,
    streams: "read g for the norm; read p, g, m, v, e; write p, g, m, v, e",
  },
} as const satisfies Record<string, Work>;

export type WorkName = keyof typeof works;

/**
 * The hyper-parameters of every contestant; `epsilon` is of the gradients' size, so that a result shows their scale.
 */
export const hyper = {
  learningRate: 1e-3,
  weightDecay: 1e-2,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-3,
  lossScale: 16,
  globalClipnorm: 1,
  emaMomentum: 0.99,
} as const;

/** The value of `left` over that of `right`, or what it takes more per tensor, and what it should be. */
export interface Bar {
  readonly left: string;
  readonly right: string;
  readonly kind: "ratio at least" | "microseconds more, at most" | "microseconds more per tensor, at most";
  readonly bar: number;
}

export interface Case {
  readonly name: string;
  readonly work: WorkName;
  /** Elements of each tensor. */
  readonly lengths: readonly number[];
  readonly contestants: readonly string[];
  readonly bars: readonly Bar[];
}

const atLeast = (left: string, right: string, bar: number): Bar => ({ left, right, kind: "ratio at least", bar });

/** Elements of GPT-2 124M's tensors: two embeddings, twelve blocks, the last layer norm. */
function gpt2Lengths(): number[] {
  const width = 768;
  const block = [
    [width, width],
    [width * 3 * width, 3 * width],
    [width * width, width],
    [width, width],
    [width * 4 * width, 4 * width],
    [4 * width * width, width],
  ].flat();
  return [50257 * width, 1024 * width, ...Array.from({ length: 12 }, () => block).flat(), width, width];
}

function tensors(count: number, length: number): number[] {
  return Array.from({ length: count }, () => length);
}

/** Small tensors, so that what JavaScript adds to the addon's own work shows. */
function overhead(count: number): Case {
  return {
    name: `JavaScript overhead, ${count} × 16`,
    work: "step",
    lengths: tensors(count, 16),
    contestants: ["ours", "ours-apply", "engine"],
    bars: [
      { left: "ours", right: "engine", kind: "microseconds more, at most", bar: 2 },
      { left: "ours-apply", right: "ours", kind: "microseconds more per tensor, at most", bar: 0.1 },
    ],
  };
}

export const cases: readonly Case[] = [
  {
    name: "one tensor of 64 Mi",
    work: "step",
    lengths: [1 << 26],
    contestants: ["ours", "loop", "stream", "torch-fused", "torch-foreach", "deepspeed", "optax"],
    bars: [
      atLeast("loop", "ours", 1),
      atLeast("stream", "ours", 1),
      atLeast("torch-fused", "ours", 1),
      atLeast("deepspeed", "ours", 1),
    ],
  },
  {
    name: "200 × 1000",
    work: "step",
    lengths: tensors(200, 1000),
    contestants: ["ours", "stream", "torch-fused", "torch-foreach", "deepspeed", "optax"],
    bars: [atLeast("torch-fused", "ours", 10)],
  },
  {
    name: "MLP 784-128-64-10",
    work: "step",
    lengths: [784 * 128, 128, 128 * 64, 64, 64 * 10, 10],
    contestants: ["ours", "stream", "torch-fused", "torch-foreach", "deepspeed", "tfjs-cpu", "tfjs-wasm"],
    bars: [atLeast("torch-fused", "ours", 3), atLeast("tfjs-cpu", "ours", 100), atLeast("tfjs-wasm", "ours", 5)],
  },
  {
    name: "GPT-2 124M",
    work: "pipeline",
    lengths: gpt2Lengths(),
    contestants: ["ours", "stream", "torch-fused", "keras-torch", "keras-jax"],
    bars: [atLeast("torch-fused", "ours", 1.7), atLeast("keras-torch", "ours", 6), atLeast("keras-jax", "ours", 4)],
  },
  overhead(1),
  overhead(20),
  overhead(200),
];
