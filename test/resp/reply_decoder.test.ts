import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import {
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  ErrorReply,
  MapReply,
  NIL_ARRAY,
  PushReply,
  type Reply,
  SetReply,
  Status,
  VerbatimReply,
} from "../../src/resp/reply.ts";
import { ReplyDecoder, ReplyProtocolError } from "../../src/resp/reply_decoder.ts";

const ROWS: [string, string, Reply][] = [
  ["simple string", "+OK\r\n", new Status("OK")],
  ["empty simple string", "+\r\n", new Status("")],
  ["error", "-ERR no\r\n", new ErrorReply("ERR no")],
  ["integer", ":42\r\n", 42],
  ["negative integer", ":-42\r\n", -42],
  ["largest integer", ":9223372036854775807\r\n", 9223372036854775807n],
  ["bulk", "$5\r\nhe\r\nl\r\n", "he\r\nl"],
  ["empty bulk", "$0\r\n\r\n", ""],
  ["every byte", "$4\r\n\x00\xff\r\n\r\n", "\x00\xff\r\n"],
  ["nil bulk", "$-1\r\n", null],
  ["nil array", "*-1\r\n", NIL_ARRAY],
  ["empty array", "*0\r\n", []],
  ["array", "*3\r\n:1\r\n$-1\r\n*1\r\n+a\r\n", [1, null, [new Status("a")]]],
  ["array that ends in an empty one", "*2\r\n:1\r\n*0\r\n", [1, []]],
  ["null", "_\r\n", null],
  ["booleans", "*2\r\n#t\r\n#f\r\n", [new BooleanReply(true), new BooleanReply(false)]],
  ["double", ",1.5\r\n", new DoubleReply("1.5")],
  ["infinity", ",-inf\r\n", new DoubleReply("-inf")],
  ["big number", "(12345678901234567890123\r\n", new BigNumberReply("12345678901234567890123")],
  ["bulk error", "!7\r\nERR a\nb\r\n", new ErrorReply("ERR a\nb")],
  ["verbatim", "=8\r\ntxt:some\r\n", new VerbatimReply("txt", "some")],
  ["map", "%1\r\n$1\r\na\r\n*1\r\n:1\r\n", new MapReply([["a", [1]]])],
  ["empty map", "%0\r\n", new MapReply([])],
  ["set", "~2\r\n:1\r\n:2\r\n", new SetReply([1, 2])],
  ["push", ">2\r\n+message\r\n$1\r\nx\r\n", new PushReply([new Status("message"), "x"])],
  ["attribute before a reply", "|1\r\n+ttl\r\n:9\r\n:1\r\n", 1],
  ["attribute within an array", "*2\r\n:1\r\n|1\r\n+a\r\n*1\r\n:7\r\n:2\r\n", [1, 2]],
  ["empty attribute", "|0\r\n:5\r\n", 5],
];

describe("ReplyDecoder", () => {
  for (const [name, wire, reply] of ROWS) {
    test(`${name}, whole and split at every point`, () => {
      for (let split = 0; split <= wire.length; split++) {
        const decoder = new ReplyDecoder();
        const replies = [...decoder.decode(wire.slice(0, split))];
        expect(decoder.pending).toBe(split > 0 && split < wire.length);
        replies.push(...decoder.decode(wire.slice(split)));
        expect(replies).toEqual([reply]);
        expect(decoder.pending).toBe(false);
      }
    });
  }

  test("many replies in random pieces", () => {
    const wire = ROWS.map(([, bytes]) => bytes).join("").repeat(3);
    const expected = [...ROWS, ...ROWS, ...ROWS].map(([, , reply]) => reply);
    for (let seed = 1; seed <= 200; seed++) {
      const prng = new Prng(seed);
      const decoder = new ReplyDecoder();
      const replies: Reply[] = [];
      for (let at = 0; at < wire.length;) {
        const size = prng.below(12);
        replies.push(...decoder.decode(wire.slice(at, at + size)));
        at += size;
      }
      expect(replies).toEqual(expected);
    }
  });

  const GARBAGE = [
    "hello\r\n",
    "\r\n",
    "$-2\r\n",
    "$x\r\n",
    "$99999999999\r\n",
    "$1\r\nabc",
    ":1.5\r\n",
    ":\r\n",
    "*-2\r\n",
    "#x\r\n",
    "_x\r\n",
    "(1a\r\n",
    "=3\r\nabc\r\n",
    "+" + "a".repeat(70_000),
    "*1\r\n".repeat(2_000),
  ];
  for (const wire of GARBAGE) {
    test(`refuses ${JSON.stringify(wire.slice(0, 20))}`, () => {
      expect(() => new ReplyDecoder().decode(wire)).toThrow(ReplyProtocolError);
    });
  }

  test("random bytes give replies or a ReplyProtocolError, nothing else", () => {
    const alphabet = "+-:$*%~>|_#,(!=0123\r\n\r\n\r\nab\xff";
    let refused = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const prng = new Prng(seed);
      let wire = "";
      for (let i = 0; i < 60; i++) wire += alphabet[prng.below(alphabet.length)];
      try {
        new ReplyDecoder().decode(wire);
      } catch (error) {
        expect(error).toBeInstanceOf(ReplyProtocolError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });

  test("a large bulk in small pieces takes linear time", () => {
    const size = 8 * 1024 * 1024;
    const decoder = new ReplyDecoder();
    decoder.decode(`$${size}\r\n`);
    const piece = "x".repeat(4096);
    for (let sent = 0; sent < size; sent += piece.length) decoder.decode(piece);
    const [reply] = decoder.decode("\r\n");
    expect((reply as string).length).toBe(size);
  });
});
