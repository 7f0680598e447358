import type { Bytes } from "../src/base/bytes.ts";

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };
const SPACE = /[ \t\n\v\f\r\0]/;

/**
 * The arguments of a line by redis-cli's rules: "double" quotes know \n \r \t \b \a \xHH and
 * \any, 'single' ones only \', and a closing quote ends its argument. Undefined: quotes do not
 * match.
 */
export function splitArguments(line: Bytes): Bytes[] | undefined {
  const args: Bytes[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && SPACE.test(line[at])) at++;
    if (at === line.length) return args;
    let arg = "";
    while (at < line.length && !SPACE.test(line[at])) {
      const quote = line[at];
      if (quote !== '"' && quote !== "'") {
        arg += line[at++];
        continue;
      }
      const quoted = quote === '"' ? doubleQuoted(line, at + 1) : singleQuoted(line, at + 1);
      if (quoted === undefined) return undefined;
      arg += quoted.text;
      at = quoted.end;
      if (at < line.length && !SPACE.test(line[at])) return undefined;
    }
    args.push(arg);
  }
}

interface Quoted {
  readonly text: Bytes;
  /** After the closing quote. */
  readonly end: number;
}

function doubleQuoted(line: Bytes, start: number): Quoted | undefined {
  let text = "";
  for (let at = start; at < line.length; at++) {
    const char = line[at];
    if (char === '"') return { text, end: at + 1 };
    if (char !== "\\" || at + 1 === line.length) {
      text += char;
      continue;
    }
    const hex = /^x([0-9a-fA-F]{2})/.exec(line.slice(at + 1, at + 4));
    if (hex !== null) {
      text += String.fromCharCode(parseInt(hex[1], 16));
      at += 3;
    } else {
      at++;
      text += ESCAPES[line[at]] ?? line[at];
    }
  }
  return undefined;
}

function singleQuoted(line: Bytes, start: number): Quoted | undefined {
  let text = "";
  for (let at = start; at < line.length; at++) {
    if (line[at] === "'") return { text, end: at + 1 };
    if (line[at] === "\\" && line[at + 1] === "'") at++;
    text += line[at];
  }
  return undefined;
}
