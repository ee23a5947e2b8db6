import { AdamW } from "../lib/adamw.js";
import type { RuntimeOptions } from "../lib/device.js";
import type { AdamWOptions } from "../lib/options.js";
import type { Variable } from "../lib/variables.js";

/** Two parameters whose gradients are bound, under an optimizer on the calling thread. */
export function pair(options: AdamWOptions = {}, runtime: RuntimeOptions = { threads: 1 }) {
  const kernel = Float32Array.of(1, -2, 3, -4);
  const bias = Float32Array.of(0.5, 0.25);
  const kernelGradient = Float32Array.of(0.1, -0.2, 0.3, -0.4);
  const biasGradient = Float32Array.of(0.5, -0.5);
  const optimizer = new AdamW(options, runtime).build([
    { name: "dense/kernel", shape: [2, 2], value: kernel, gradient: kernelGradient },
    { name: "dense/bias", value: bias, gradient: biasGradient },
  ]);
  const gradients = [kernelGradient, biasGradient] as const;
  return { optimizer, kernel, bias, kernelGradient, biasGradient, gradients };
}

/** The values of variables, which are fresh copies, as plain numbers. */
export function contents(variables: readonly Variable[]): number[][] {
  return variables.map(({ value }) => [...value]);
}

/** Everything a failed call must leave as it was. */
export function snapshot({ optimizer, kernel, bias }: Pick<ReturnType<typeof pair>, "optimizer" | "kernel" | "bias">) {
  const { iterations, report, variables } = optimizer;
  return structuredClone({ iterations, report, state: contents(variables), kernel: [...kernel], bias: [...bias] });
}
