/** The memory traffic that a step takes at least: what a speed in bytes per second is counted by. */

import type { AdamWOptions } from "../../options.js";

export interface ByteModel {
  /** Bytes per parameter and step, the norm's pass included; the mean over a window of accumulation. */
  readonly step: number;
  /** Of a step that updates, the norm's pass included: what the streaming pass moves. */
  readonly update: number;
  /** The streams of an update in words. */
  readonly streams: string;
}

interface Stream {
  readonly name: string;
  readonly reads: number;
  readonly writes: number;
}

/** Every stream is float32. */
const elementBytes = 4;

function traffic(options: AdamWOptions, micro: boolean): Stream[] {
  const { clipnorm, globalClipnorm, skipAboveNorm, nonFinite = "propagate", emaUpdates = "apply" } = options;
  const clipped = clipnorm != null || globalClipnorm != null;
  const skips = nonFinite !== "propagate" || skipAboveNorm != null;
  const normed = skips || options.reportNorms === true || (clipped && !micro);
  const accumulates = (options.gradientAccumulationSteps ?? 0) > 1;
  const averages = options.useEma === true && (!micro || emaUpdates === "apply");
  const stream = (name: string, reads: boolean, writes: boolean): Stream[] =>
    reads || writes ? [{ name, reads: reads ? 1 : 0, writes: writes ? 1 : 0 }] : [];
  return [
    ...(normed ? [{ name: "gradient for the norm", reads: 1, writes: 0 }] : []),
    ...(normed && accumulates ? [{ name: "accumulator for the norm", reads: 1, writes: 0 }] : []),
    ...stream("gradient", true, options.zeroGradients === true),
    ...stream("parameter", !micro || averages, !micro),
    ...stream("momentum", !micro, !micro),
    ...stream("velocity", !micro, !micro),
    ...stream("largest velocity", !micro && options.amsgrad === true, !micro && options.amsgrad === true),
    ...stream("average", averages, averages),
    ...stream("accumulator", accumulates, accumulates),
  ];
}

export function byteModel(options: AdamWOptions): ByteModel {
  const window = options.gradientAccumulationSteps || 1;
  const bytes = (list: readonly Stream[]) =>
    list.reduce((sum, { reads, writes }) => sum + (reads + writes) * elementBytes, 0);
  const names = (list: readonly Stream[]) => list.map(({ name }) => name).join(", ");
  const update = traffic(options, false);
  return {
    step: (bytes(update) + (window - 1) * bytes(traffic(options, true))) / window,
    update: bytes(update),
    streams: `read ${names(update)}; write ${names(update.filter(({ writes }) => writes > 0))}`,
  };
}
