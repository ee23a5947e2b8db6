/** Numbers as people read them. */

const decimal = [
  { factor: 1e12, unit: "T" },
  { factor: 1e9, unit: "B" },
  { factor: 1e6, unit: "M" },
  { factor: 1e3, unit: "k" },
];

/** "124.4 M", "200 k", "17". */
export function formatCount(count: number): string {
  const { factor, unit } = decimal.find((step) => count >= step.factor * 0.9995) ?? { factor: 1, unit: "" };
  return unit === "" ? String(count) : `${significant(count / factor)} ${unit}`;
}

/** "1 thread", "2 threads". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** "1.39 GiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1023.5 && unit < binary.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? String(value) : significant(value)} ${binary[unit]}`;
}

const times = [
  { factor: 1, unit: "s" },
  { factor: 1e3, unit: "ms" },
  { factor: 1e6, unit: "µs" },
];

/** "12.3 ms". */
export function formatSeconds(seconds: number): string {
  const { factor, unit } = times.find((step) => seconds * step.factor >= 0.9995) ?? { factor: 1e9, unit: "ns" };
  return `${significant(seconds * factor)} ${unit}`;
}

/** Three digits, without an exponent: 0.0123, 1.23, 12.3, 123, 1235. */
export function significant(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const whole = Math.floor(Math.log10(Math.abs(value))) + 1;
  const text = value.toFixed(Math.max(digits - whole, 0));
  return whole >= digits || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
}
