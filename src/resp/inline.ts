import type { Bytes } from "../base/bytes.ts";

/** The arguments of an inline request, or undefined when its quotes do not balance. */
export function splitInline(line: Bytes): Bytes[] | undefined {
  const args: Bytes[] = [];
  let at = 0;
  while (true) {
    while (at < line.length && isSpace(line[at])) at++;
    // A NUL ends the line, as in Redis, which reads it as a C string.
    if (at >= line.length || line[at] === "\0") return args;
    const token = readToken(line, at);
    if (token === undefined) return undefined;
    args.push(token.text);
    at = token.end;
  }
}

function isSpace(char: string): boolean {
  return char === " " || (char >= "\t" && char <= "\r");
}

interface Token {
  readonly text: Bytes;
  readonly end: number;
}

function readToken(line: Bytes, start: number): Token | undefined {
  let text = "";
  let at = start;
  while (at < line.length && line[at] !== "\0" && !isSpace(line[at])) {
    const char = line[at];
    if (char === '"' || char === "'") {
      const quoted = char === '"' ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
      if (quoted === undefined) return undefined;
      return { text: text + quoted.text, end: quoted.end };
    }
    text += char;
    at++;
  }
  return { text, end: at };
}

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };
const HEX_ESCAPE = /^\\x[0-9a-fA-F]{2}/;

function readDoubleQuoted(line: Bytes, start: number): Token | undefined {
  let text = "";
  let at = start;
  while (at < line.length && line[at] !== "\0") {
    const char = line[at];
    if (char === '"') return closeQuote(line, text, at + 1);
    if (char !== "\\" || at + 1 >= line.length) {
      text += char;
      at++;
    } else if (HEX_ESCAPE.test(line.slice(at, at + 4))) {
      text += String.fromCharCode(parseInt(line.slice(at + 2, at + 4), 16));
      at += 4;
    } else {
      text += ESCAPES[line[at + 1]] ?? line[at + 1];
      at += 2;
    }
  }
  return undefined;
}

function readSingleQuoted(line: Bytes, start: number): Token | undefined {
  let text = "";
  let at = start;
  while (at < line.length && line[at] !== "\0") {
    if (line[at] === "'") return closeQuote(line, text, at + 1);
    if (line[at] === "\\" && line[at + 1] === "'") at++;
    text += line[at];
    at++;
  }
  return undefined;
}

/** A closing quote must be followed by white space or nothing. */
function closeQuote(line: Bytes, text: Bytes, end: number): Token | undefined {
  if (end < line.length && line[end] !== "\0" && !isSpace(line[end])) return undefined;
  return { text, end };
}
