/**
 * JSON of files that may be hostile. Unlike JSON.parse: a key that occurs twice is an error (two readers would take
 * different ones), nesting is limited, objects have no prototype (so `__proto__` is a key like any other), and errors
 * know where they are.
 */

/** Deeper than any configuration: schedules nest, and nothing else. */
const deepest = 64;

export class JsonError extends Error {
  /** Bytes before the error when the text is encoded as UTF-8. */
  readonly offset: number;

  constructor(text: string, position: number, problem: string) {
    super(problem);
    this.offset = Buffer.byteLength(text.slice(0, position));
  }
}

export type JsonRecord = Record<string, unknown>;

const space = /[ \t\n\r]*/y;
// Bounded: no number that JavaScript prints is longer, and an unbounded one would only cost time.
const number = /-?(?:0|[1-9]\d{0,400})(?:\.\d{1,400})?(?:[eE][+-]?\d{1,4})?/y;
const literals: readonly [string, unknown][] = [
  ["null", null],
  ["true", true],
  ["false", false],
];

/** @throws JsonError */
export function parseStrictJson(text: string): unknown {
  const parser = new Parser(text);
  const value = parser.value(0);
  parser.end();
  return value;
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): unknown {
    if (depth > deepest) throw this.#error(`JSON nested deeper than ${deepest}`);
    this.#skip();
    const first = this.#text[this.#at];
    if (first === "{") return this.#record(depth);
    if (first === "[") return this.#array(depth);
    if (first === '"') return this.#string();
    for (const [word, literal] of literals) if (this.#take(word)) return literal;
    const digits = this.#match(number);
    if (digits === "") throw this.#error("no JSON value");
    return Number(digits);
  }

  end(): void {
    this.#skip();
    if (this.#at !== this.#text.length) throw this.#error("text after the JSON value");
  }

  #record(depth: number): JsonRecord {
    const record: JsonRecord = Object.create(null);
    this.#list("{", "}", () => {
      this.#skip();
      const start = this.#at;
      const key = this.#string();
      if (Object.hasOwn(record, key)) {
        throw new JsonError(this.#text, start, `the key ${JSON.stringify(key.slice(0, 100))} occurs twice`);
      }
      this.#skip();
      this.#expect(":");
      record[key] = this.value(depth + 1);
    });
    return record;
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#list("[", "]", () => items.push(this.value(depth + 1)));
    return items;
  }

  #list(open: string, close: string, item: () => void): void {
    this.#expect(open);
    this.#skip();
    if (this.#take(close)) return;
    do {
      item();
      this.#skip();
    } while (this.#take(","));
    this.#expect(close);
  }

  #string(): string {
    const start = this.#at;
    if (this.#text[start] !== '"') throw this.#error("no JSON string");
    let end = start;
    do {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) throw this.#error("a JSON string without an end");
    } while (this.#isEscaped(end));
    this.#at = end + 1;
    try {
      return JSON.parse(this.#text.slice(start, end + 1)) as string;
    } catch {
      throw new JsonError(this.#text, start, "no valid JSON string");
    }
  }

  /** Whether an odd number of backslashes stands before. */
  #isEscaped(position: number): boolean {
    let backslashes = 0;
    while (this.#text[position - 1 - backslashes] === "\\") backslashes += 1;
    return backslashes % 2 === 1;
  }

  #skip(): void {
    this.#match(space);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #expect(word: string): void {
    if (!this.#take(word)) throw this.#error(`expected ${word}`);
  }

  #error(problem: string): JsonError {
    return new JsonError(this.#text, this.#at, problem);
  }
}
