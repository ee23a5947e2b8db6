/** Patterns that choose parameters by name: globs, JavaScript's and Python's regular expressions, and their JSON. */

import { invalid } from "./errors.js";
import { isRecord } from "./validate.js";

/** Whether the pattern is found anywhere in the text; unlike `test`, heeds and changes no `lastIndex`. */
export function occursIn(pattern: RegExp, text: string): boolean {
  return text.search(pattern) !== -1;
}

/**
 * The expression that matches what a glob does: `*` any characters but "/", `**` any characters, a whole component
 * `**` any number of components (none too), `?` one character but "/"; everything else stands for itself.
 */
export function globToRegExp(glob: string): RegExp {
  const source = glob.replaceAll(/(?<=^|\/)\*\*\/|\*\*|\*|\?|[\\^$.+()[\]{}|]/gu, (token) => {
    switch (token) {
      case "**/":
        return "(?:.*/)?";
      case "**":
        return ".*";
      case "*":
        return "[^/]*";
      case "?":
        return "[^/]";
      default:
        return `\\${token}`;
    }
  });
  return new RegExp(`^${source}$`, "su");
}

const fromPython: Readonly<Record<string, string>> = { "\\A": "^", "\\Z": "$", "\\a": "\\x07", "(?P<": "(?<" };
/** Escaped letters that mean something else in Python, or nothing: `\p{L}`, `\cA`, `\U00000062`, `\N{DIGIT ONE}`. */
const foreignEscape = /\\[CE-RT-VXYceg-mopqyz]/;

/**
 * The expression that means in JavaScript what `source` means to Python's `re`, as far as both have it: anchors `\A`
 * and `\Z`, named groups, `{,3}` and sets like `[]a]` are translated. Letters and digits of `\w` and `\d` are those of
 * ASCII.
 *
 * @throws INVALID_ARGUMENT for what JavaScript does not have and for escapes and groups that Python does not; some slips
 *   that Python refuses pass, such as `[\w-a]`
 */
export function pythonRegExp(source: string, name: string): RegExp {
  // The alternatives for any other escaped character and for a set of characters keep what is in them from being
  // misread.
  const translated = source.replaceAll(
    /\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?<(?![=!])|\(\?P=(\w+)\)|\{,(\d*)\}/gs,
    (token, group: string | undefined, most: string | undefined) => {
      const escapes = token.match(/\\./gs) ?? [];
      if (token === "(?<" || escapes.some((pair) => foreignEscape.test(pair)))
        throw invalid(name, "a regular expression of Python's,", source);
      if (group !== undefined) return `\\k<${group}>`;
      if (most !== undefined) return `{0,${most}}`;
      // A bracket that comes first in a set is one of its characters.
      return fromPython[token] ?? token.replace(/^(\[\^?)\](?=.)/s, "$1\\]");
    },
  );
  try {
    return new RegExp(translated);
  } catch (cause) {
    throw Object.assign(invalid(name, "a regular expression", source), { cause });
  }
}

/** A `RegExp` in JSON. */
export interface RegExpJson {
  source: string;
  flags: string;
}

export function writeRegExp({ source, flags }: RegExp): RegExpJson {
  return { source, flags };
}

export function isRegExpJson(json: unknown): json is RegExpJson {
  const { source, flags } = isRecord(json) ? json : {};
  return typeof source === "string" && typeof flags === "string";
}

/** @throws INVALID_ARGUMENT when the source or the flags are none of JavaScript's */
export function readRegExp(json: RegExpJson, name: string): RegExp {
  try {
    return new RegExp(json.source, json.flags);
  } catch (cause) {
    throw Object.assign(invalid(name, "the source and flags of a regular expression", json), { cause });
  }
}
