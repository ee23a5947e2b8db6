/** A curve of one line: eight heights from the lowest to the highest value. */

const heights = "▁▂▃▄▅▆▇█";

/** At most `width` means of neighbouring values. */
export function sparkline(values: readonly number[], width: number): string {
  const count = Math.min(width, values.length);
  const means = Array.from({ length: count }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const place = (value: number) => (high > low ? (value - low) / (high - low) : 0);
  return means.map((value) => heights[Math.round(place(value) * (heights.length - 1))]).join("");
}
