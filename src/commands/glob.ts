import type { Bytes } from "../base/bytes.ts";

/** Deeper nesting of stars than this matches nothing, as in Redis 7.2.6 (CVE-2024-31228). */
const STARS_MAX = 1000;

const STAR = 42;
const QUESTION = 63;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;
const CARET = 94;
const DASH = 45;

/**
 * Whether `text` matches a glob pattern as Redis has it: `*`, `?`, `[a-z]`, `[^a]`, `\` to quote.
 * Byte ranges compare signed bytes; a class without its end runs to the end of the pattern.
 * The empty text matches only the empty pattern.
 */
export function globMatches(pattern: Bytes, text: Bytes): boolean {
  return new GlobMatcher(pattern, text).matchFrom(0, 0, 0);
}

/** Whether a pattern matches every key: the one that Redis does not put to the matcher. */
export function matchesAll(pattern: Bytes): boolean {
  return pattern === "*";
}

class GlobMatcher {
  readonly #pattern: Bytes;
  readonly #text: Bytes;
  /** Set when the text ended before a pattern did: no later start can match either. */
  #exhausted = false;
  /** Where the pattern goes on after the class that `#classMatches` read. */
  #classEnd = 0;

  constructor(pattern: Bytes, text: Bytes) {
    this.#pattern = pattern;
    this.#text = text;
  }

  /** Matches pattern[p..] with text[t..]; `depth` counts the stars above. */
  matchFrom(p: number, t: number, depth: number): boolean {
    const pattern = this.#pattern;
    const text = this.#text;
    if (depth > STARS_MAX) return false;
    while (p < pattern.length && t < text.length) {
      let code = pattern.charCodeAt(p);
      if (code === STAR) return this.#matchStar(p, t, depth);
      if (code === OPEN) {
        if (!this.#classMatches(p + 1, text.charCodeAt(t))) return false;
        p = this.#classEnd;
      } else if (code !== QUESTION) {
        if (code === BACKSLASH && p + 1 < pattern.length) code = pattern.charCodeAt(++p);
        if (code !== text.charCodeAt(t)) return false;
        p++;
      } else {
        p++;
      }
      t++;
      if (t === text.length) {
        while (pattern.charCodeAt(p) === STAR) p++;
      }
    }
    return p === pattern.length && t === text.length;
  }

  #matchStar(p: number, t: number, depth: number): boolean {
    while (this.#pattern.charCodeAt(p + 1) === STAR) p++;
    if (p + 1 === this.#pattern.length) return true;
    for (; t < this.#text.length; t++) {
      if (this.matchFrom(p + 1, t, depth + 1)) return true;
      if (this.#exhausted) return false;
    }
    this.#exhausted = true;
    return false;
  }

  /** Whether the class that begins at pattern[p], behind its bracket, holds a byte. */
  #classMatches(p: number, byte: number): boolean {
    const pattern = this.#pattern;
    const negated = pattern.charCodeAt(p) === CARET;
    if (negated) p++;
    let found = false;
    for (; p < pattern.length; p++) {
      const code = pattern.charCodeAt(p);
      if (code === BACKSLASH && p + 1 < pattern.length) {
        p++;
        if (pattern.charCodeAt(p) === byte) found = true;
      } else if (code === CLOSE) {
        break;
      } else if (p + 2 < pattern.length && pattern.charCodeAt(p + 1) === DASH) {
        if (inRange(byte, code, pattern.charCodeAt(p + 2))) found = true;
        p += 2;
      } else if (code === byte) {
        found = true;
      }
    }
    this.#classEnd = Math.min(p + 1, pattern.length);
    return found !== negated;
  }
}

/** Whether a byte lies between two others, in either order, all taken as signed. */
function inRange(byte: number, from: number, to: number): boolean {
  const value = signed(byte);
  const a = signed(from);
  const b = signed(to);
  return a <= b ? value >= a && value <= b : value >= b && value <= a;
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}
