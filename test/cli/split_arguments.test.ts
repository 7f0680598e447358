import { describe, expect, test } from "bun:test";
import { splitArguments } from "../../cli/split_arguments.ts";

const ROWS: [string, string[] | undefined][] = [
  ["", []],
  ["  \t ", []],
  ["SET k v", ["SET", "k", "v"]],
  ["  SET \t k  v  ", ["SET", "k", "v"]],
  ['SET k "a b"', ["SET", "k", "a b"]],
  ['""', [""]],
  ["''", [""]],
  [String.raw`"\n\r\t\b\a\"\\\q"`, ['\n\r\t\b\x07"\\q']],
  [String.raw`"\x00\xfF\xg1"`, ["\x00\xffxg1"]],
  [String.raw`'a\'b\n'`, [String.raw`a'b\n`]],
  [`a"b c"`, ["ab c"]],
  [`a\\b`, ["a\\b"]],
  [`"a`, undefined],
  [`'a`, undefined],
  [`"a"b`, undefined],
  [`'a'b`, undefined],
  [`"a\\`, undefined],
];

describe("splitArguments", () => {
  for (const [line, args] of ROWS) {
    test(JSON.stringify(line), () => expect(splitArguments(line)).toEqual(args));
  }
});
