import { describe, expect, test } from "bun:test";
import { formatReply, rawReply } from "../../cli/format_reply.ts";
import {
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  ErrorReply,
  MapReply,
  NIL_ARRAY,
  OK,
  PushReply,
  type Reply,
  SetReply,
  VerbatimReply,
} from "../../src/resp/reply.ts";

/** Name, reply, as redis-cli 7.0.15 formats it (--no-raw), as it writes it raw (--raw). */
const ROWS: [string, Reply, string, string][] = [
  ["status", OK, "OK\n", "OK"],
  ["error", new ErrorReply("ERR no"), "(error) ERR no\n", "ERR no\n"],
  ["integer", -7, "(integer) -7\n", "-7"],
  ["large integer", 9223372036854775807n, "(integer) 9223372036854775807\n", "9223372036854775807"],
  ["nil", null, "(nil)\n", ""],
  ["nil array", NIL_ARRAY, "(nil)\n", ""],
  ["text", "a b", '"a b"\n', "a b"],
  ["escapes", '"\\\n\r\t\x07\b', '"\\"\\\\\\n\\r\\t\\a\\b"\n', '"\\\n\r\t\x07\b'],
  ["bytes", "\x00\xff~", '"\\x00\\xff~"\n', "\x00\xff~"],
  ["double", new DoubleReply("1.5"), "(double) 1.5\n", "1.5"],
  ["boolean", new BooleanReply(true), "(true)\n", "(true)"],
  ["verbatim", new VerbatimReply("txt", "a\nb"), "a\nb\n", "a\nb"],
  ["big number", new BigNumberReply("12"), "(big number) 12\n", "12"],
  ["empty array", [], "(empty array)\n", ""],
  ["empty set", new SetReply([]), "(empty set)\n", ""],
  ["empty map", new MapReply([]), "(empty hash)\n", ""],
  ["array", ["a", 1, null], '1) "a"\n2) (integer) 1\n3) (nil)\n', "a\n1\n"],
  ["set", new SetReply(["a"]), '1~ "a"\n', "a"],
  ["push", new PushReply(["a"]), '1) "a"\n', "a"],
  [
    "map",
    new MapReply([["k", 1], ["l", []]]),
    [
      '1# "k" => (integer) 1',
      '2# "l" => (empty array)',
      "",
    ].join("\n"),
    "k 1\nl ",
  ],
  [
    "map of arrays",
    new MapReply([["k", [1, 2]], ["l", [3]]]),
    [
      '1# "k" => ',
      "   1) (integer) 1",
      "   2) (integer) 2",
      '2# "l" => 1) (integer) 3',
      "",
    ].join("\n"),
    "k 1\n2\nl 3",
  ],
  [
    "nested",
    [1, [2, ["x", 3]], 4],
    [
      "1) (integer) 1",
      "2) 1) (integer) 2",
      '   2) 1) "x"',
      "      2) (integer) 3",
      "3) (integer) 4",
      "",
    ].join("\n"),
    "1\n2\nx\n3\n4",
  ],
];

describe("formatReply and rawReply", () => {
  for (const [name, reply, formatted, raw] of ROWS) {
    test(name, () => {
      expect(formatReply(reply)).toBe(formatted);
      expect(rawReply(reply)).toBe(raw);
    });
  }

  test("numbers of a long array are aligned", () => {
    const lines = formatReply(Array.from({ length: 10 }, () => "v")).split("\n");
    expect(lines[0]).toBe(' 1) "v"');
    expect(lines[9]).toBe('10) "v"');
  });
});
