/** JSON text as Python writes it, so that a configuration is Keras' byte for byte. */

import { classFields } from "./class-fields.js";
import { isRecord } from "./validate.js";

/** For each class by name, the JSON keys that hold a float in Keras. */
const floatKeys = new Map<unknown, ReadonlySet<string>>(
  [...classFields].map(([name, fields]) => {
    const floats = Object.values(fields).filter(({ kind }) => kind.float);
    return [name, new Set(floats.map(({ key }) => key))];
  }),
);

/**
 * The text that Python's `json.dumps` gives for a serialized object. `JSON.stringify` gives equal JSON in other bytes:
 * Python keeps floats apart from integers (`1.0`), writes exponents its own way (`1e-07`) and escapes all but ASCII.
 * `separators` are Python's: between entries, and between a key and its value.
 */
export function kerasJson(
  serialized: unknown,
  [comma, colon]: readonly [comma: string, colon: string] = [", ", ": "],
): string {
  function render(value: unknown, float: boolean): string {
    if (typeof value === "number") return float || !Number.isInteger(value) ? pythonFloat(value) : String(value);
    if (typeof value === "string") return asciiString(value);
    if (Array.isArray(value)) return `[${value.map((item) => render(item, float)).join(comma)}]`;
    return isRecord(value) ? renderRecord(value, new Set()) : JSON.stringify(value);
  }

  function renderRecord(record: Record<string, unknown>, floats: ReadonlySet<string>): string {
    const configFloats = floatKeys.get(record.class_name);
    const entries = Object.entries(record).map(([key, value]) => {
      const isConfig = key === "config" && configFloats && isRecord(value);
      const text = isConfig ? renderRecord(value, configFloats) : render(value, floats.has(key));
      return `${asciiString(key)}${colon}${text}`;
    });
    return `{${entries.join(comma)}}`;
  }

  return render(serialized, false);
}

/** Python's `repr`: the same shortest digits as JavaScript's, an exponent below 1e-4 and from 1e16 on. */
function pythonFloat(value: number): string {
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  if (value === 0 || (Number(exponent) >= -4 && Number(exponent) < 16)) {
    return Number.isInteger(value) ? `${value}.0` : String(value);
  }
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

function asciiString(value: string): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
