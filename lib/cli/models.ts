/** Well-known networks as the lists of their parameters' shapes; nothing of them is downloaded. */

export interface ShapedParameter {
  readonly name: string;
  readonly shape: readonly number[];
}

type Shapes = Readonly<Record<string, readonly number[]>>;

function* prefixed(prefix: string, shapes: Shapes): Generator<ShapedParameter> {
  for (const [name, shape] of Object.entries(shapes)) yield { name: `${prefix}/${name}`, shape };
}

function dense(name: string, inputs: number, outputs: number): Shapes {
  return { [`${name}/weight`]: [outputs, inputs], [`${name}/bias`]: [outputs] };
}

function norm(name: string, width: number): Shapes {
  return { [`${name}/weight`]: [width], [`${name}/bias`]: [width] };
}

/** Fully connected layers of these widths. */
function* mlp(...widths: number[]): Generator<ShapedParameter> {
  for (const [i, outputs] of widths.slice(1).entries()) yield* prefixed("mlp", dense(`${i}`, widths[i]!, outputs));
}

/** He et al. 2015, arXiv:1512.03385, as torchvision builds it; running statistics are no parameters. */
function* resnet50(): Generator<ShapedParameter> {
  const convolution = (name: string, inputs: number, outputs: number, size: number): Shapes => ({
    [`${name}/weight`]: [outputs, inputs, size, size],
    ...norm(`${name}_norm`, outputs),
  });
  yield* prefixed("stem", convolution("conv", 3, 64, 7));
  let inputs = 64;
  for (const [stage, blocks] of [3, 4, 6, 3].entries()) {
    const width = 64 * 2 ** stage;
    for (let block = 0; block < blocks; block += 1) {
      yield* prefixed(`stage${stage}/${block}`, {
        ...convolution("conv1", inputs, width, 1),
        ...convolution("conv2", width, width, 3),
        ...convolution("conv3", width, 4 * width, 1),
        ...(block === 0 ? convolution("shortcut", inputs, 4 * width, 1) : {}),
      });
      inputs = 4 * width;
    }
  }
  yield* prefixed("head", dense("dense", inputs, 1000));
}

/** The layer of an encoder that BERT and ViT share in shapes. */
function encoderLayer(width: number): Shapes {
  return {
    ...dense("query", width, width),
    ...dense("key", width, width),
    ...dense("value", width, width),
    ...dense("output", width, width),
    ...norm("norm1", width),
    ...dense("feed1", width, 4 * width),
    ...dense("feed2", 4 * width, width),
    ...norm("norm2", width),
  };
}

/** Dosovitskiy et al. 2021, arXiv:2010.11929: 224 × 224 pixels in patches of 16 × 16, 1,000 classes. */
function* vitB16(): Generator<ShapedParameter> {
  const width = 768;
  yield* prefixed("embedding", {
    class_token: [1, 1, width],
    position: [1, 197, width],
    "patch/weight": [width, 3, 16, 16],
    "patch/bias": [width],
  });
  for (let layer = 0; layer < 12; layer += 1) yield* prefixed(`layer${layer}`, encoderLayer(width));
  yield* prefixed("head", { ...norm("norm", width), ...dense("dense", width, 1000) });
}

/** Devlin et al. 2019, arXiv:1810.04805: the base model with its pooler. */
function* bertBase(): Generator<ShapedParameter> {
  const width = 768;
  yield* prefixed("embedding", {
    words: [30522, width],
    positions: [512, width],
    types: [2, width],
    ...norm("norm", width),
  });
  for (let layer = 0; layer < 12; layer += 1) yield* prefixed(`layer${layer}`, encoderLayer(width));
  yield* prefixed("pooler", dense("dense", width, width));
}

/** Radford et al. 2019; the output shares the embedding's weights. */
function* gpt2(width: number, layers: number): Generator<ShapedParameter> {
  yield* prefixed("embedding", { words: [50257, width], positions: [1024, width] });
  for (let layer = 0; layer < layers; layer += 1) {
    yield* prefixed(`layer${layer}`, {
      ...norm("norm1", width),
      ...dense("attention", width, 3 * width),
      ...dense("projection", width, width),
      ...norm("norm2", width),
      ...dense("feed1", width, 4 * width),
      ...dense("feed2", 4 * width, width),
    });
  }
  yield* prefixed("final", norm("norm", width));
}

/** Llama 3 (2024), arXiv:2407.21783: grouped-query attention, gated feed-forward, no biases. */
function* llama(
  width: number,
  layers: number,
  keys: number,
  hidden: number,
  words: number,
): Generator<ShapedParameter> {
  yield* prefixed("embedding", { words: [words, width] });
  for (let layer = 0; layer < layers; layer += 1) {
    yield* prefixed(`layer${layer}`, {
      query: [width, width],
      key: [keys, width],
      value: [keys, width],
      output: [width, width],
      gate: [hidden, width],
      up: [hidden, width],
      down: [width, hidden],
      norm1: [width],
      norm2: [width],
    });
  }
  yield* prefixed("final", { norm: [width], output: [words, width] });
}

/** Every model that can be named. */
export const models: Readonly<Record<string, () => Generator<ShapedParameter>>> = {
  mlp: () => mlp(784, 128, 64, 10),
  "resnet-50": resnet50,
  "vit-b16": vitB16,
  "bert-base": bertBase,
  "gpt2-124m": () => gpt2(768, 12),
  "gpt2-1.5b": () => gpt2(1600, 48),
  "llama-3.1-8b": () => llama(4096, 32, 1024, 14336, 128256),
};
