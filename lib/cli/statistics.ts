/** Statistics that one slow sample does not move. */

import { randomWords } from "./random.js";

/** The value below which `share` of the samples lie, between samples by interpolation. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** The median distance from the median. */
export function medianDeviation(samples: readonly number[]): number {
  const middle = median(samples);
  return median(samples.map((sample) => Math.abs(sample - middle)));
}

export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

const resamples = 2000;

/**
 * The 95 % confidence interval of what `statistic` makes of the samples, by Efron's percentile bootstrap (1979). Each
 * list is drawn from by itself; the draws are the same on every call.
 */
export function bootstrap(
  statistic: (...lists: number[][]) => number,
  ...lists: readonly (readonly number[])[]
): Interval {
  const words = randomWords(0xb0075);
  const draw = (list: readonly number[]) => list.map(() => list[Math.floor((words() / 2 ** 32) * list.length)]!);
  const estimates = Array.from({ length: resamples }, () => statistic(...lists.map(draw)));
  return {
    estimate: statistic(...lists.map((list) => [...list])),
    low: quantile(estimates, 0.025),
    high: quantile(estimates, 0.975),
  };
}

/** Of fewer samples not even all hold the median in 95 of 100 runs. */
export const fewestForMedian = 6;

/**
 * The median and an interval that holds the true one in at least 95 of 100 runs, whatever the distribution: from the
 * k-th smallest to the k-th largest sample, by the binomial distribution. Of fewer than `fewestForMedian`: all samples.
 */
export function medianInterval(samples: readonly number[]): Interval {
  const n = samples.length;
  const k = samplesBeside(n);
  const sorted = samples.toSorted((a, b) => a - b);
  return { estimate: median(samples), low: sorted[Math.max(0, k - 1)]!, high: sorted[n - Math.max(1, k)]! };
}

/** From here on 2⁻ⁿ comes near to what a double can be, and the normal distribution near to the binomial. */
const manySamples = 1000;

/** The most samples of n that lie on one side of the median in fewer than 25 of 1000 runs, plus one. */
function samplesBeside(n: number): number {
  if (n > manySamples) return Math.floor(n / 2 - 0.98 * Math.sqrt(n));
  // How likely it is that at most `k` samples lie below the median.
  let [exactly, k] = [2 ** -n, 0];
  for (let atMost = exactly; 2 * atMost <= 0.05; atMost += exactly) {
    k += 1;
    exactly *= (n - k + 1) / k;
  }
  return k;
}
