import { expect, test } from "bun:test";
import { encodeReply } from "../../src/resp/encoder.ts";
import {
  AnnouncedReply,
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  err,
  KeyedReply,
  MapReply,
  NIL_ARRAY,
  OK,
  PairsReply,
  PushReply,
  type Reply,
  SetReply,
  VerbatimReply,
} from "../../src/resp/reply.ts";

const rows: [string, Reply, string, string][] = [
  ["bulk string", "a\r\nb", "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"],
  ["empty bulk", "", "$0\r\n\r\n", "$0\r\n\r\n"],
  ["integer", -7, ":-7\r\n", ":-7\r\n"],
  ["64-bit integer", 9223372036854775807n, ":9223372036854775807\r\n", ":9223372036854775807\r\n"],
  ["nil", null, "$-1\r\n", "_\r\n"],
  ["nil array", NIL_ARRAY, "*-1\r\n", "_\r\n"],
  ["status", OK, "+OK\r\n", "+OK\r\n"],
  ["error", err("no"), "-ERR no\r\n", "-ERR no\r\n"],
  [
    "array",
    ["a", null, [1]],
    "*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:1\r\n",
    "*3\r\n$1\r\na\r\n_\r\n*1\r\n:1\r\n",
  ],
  ["map", new MapReply([["a", 1]]), "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"],
  ["set", new SetReply(["a"]), "*1\r\n$1\r\na\r\n", "~1\r\n$1\r\na\r\n"],
  [
    "keyed",
    new KeyedReply([["a", ["b"]]]),
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n",
    "%1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n",
  ],
  ["pairs", new PairsReply([["a", 1]]), "*2\r\n$1\r\na\r\n:1\r\n", "*1\r\n*2\r\n$1\r\na\r\n:1\r\n"],
  ["double", new DoubleReply("1.5"), "$3\r\n1.5\r\n", ",1.5\r\n"],
  ["boolean", new BooleanReply(true), ":1\r\n", "#t\r\n"],
  ["verbatim", new VerbatimReply("txt", "hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"],
  ["big number", new BigNumberReply("12"), "$2\r\n12\r\n", "(12\r\n"],
  ["push", new PushReply(["m"]), "*1\r\n$1\r\nm\r\n", ">1\r\n$1\r\nm\r\n"],
  [
    "reply behind attributes",
    new AnnouncedReply(new MapReply([["a", 1]]), 2),
    ":2\r\n",
    "|1\r\n$1\r\na\r\n:1\r\n:2\r\n",
  ],
];

for (const [name, reply, resp2, resp3] of rows) {
  test(`encodeReply writes a ${name} in both protocols`, () => {
    expect(encodeReply(reply, 2)).toBe(resp2);
    expect(encodeReply(reply, 3)).toBe(resp3);
  });
}

test("encodeReply writes long arrays of strings as it writes the strings", () => {
  const words = ["", "a", "\r\n", "x".repeat(511), "y".repeat(512), "z".repeat(70_000)];
  for (let count = 0; count < 30; count++) {
    const items = Array.from({ length: count }, (_, i) => words[i % words.length]);
    const expected = items.map((item) => `$${item.length}\r\n${item}\r\n`).join("");
    expect(encodeReply(items, 2)).toBe(`*${count}\r\n${expected}`);
    expect(encodeReply(new SetReply(items), 3)).toBe(`~${count}\r\n${expected}`);
    expect(encodeReply([...items, 7], 2)).toBe(`*${count + 1}\r\n${expected}:7\r\n`);
  }
});
