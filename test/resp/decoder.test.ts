import { Buffer } from "node:buffer";
import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { ProtocolError, RequestDecoder } from "../../src/resp/decoder.ts";

/** What a decoder yields for these chunks: requests, then the protocol error if there was one. */
function decode(chunks: string[], prepare?: (decoder: RequestDecoder) => void): unknown[] {
  const decoder = new RequestDecoder();
  prepare?.(decoder);
  const out: unknown[] = [];
  for (const chunk of chunks) {
    decoder.push(Buffer.from(chunk, "latin1"));
    try {
      for (let argv = decoder.next(); argv !== undefined; argv = decoder.next()) out.push(argv);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [...out, error.message];
    }
  }
  return out;
}

const rows: [string, string, unknown[]][] = [
  ["a multibulk request", "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", [["GET", "a"]]],
  ["pipelined requests", "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n", [["PING"], ["PING"]]],
  ["binary arguments", "*1\r\n$6\r\n\r\n\0\xff$1\r\n", [["\r\n\0\xff$1"]]],
  ["an empty bulk", "*2\r\n$1\r\na\r\n$0\r\n\r\n", [["a", ""]]],
  ["nothing for empty requests", "\r\n*0\r\n*-1\r\n  \r\n*1\r\n$1\r\nx\r\n", [["x"]]],
  ["an inline request", "SET a  b\r\n", [["SET", "a", "b"]]],
  ["an inline request ended by LF alone", "PING\n", [["PING"]]],
  ["inline quotes", `SET "a\\x41\\n\\"" 'it\\'s'\r\n`, [["SET", 'aA\n"', "it's"]]],
  ["unbalanced quotes", `SET "a\r\n`, ["unbalanced quotes in request"]],
  ["text behind a quote", `SET "a"b\r\n`, ["unbalanced quotes in request"]],
  ["a length that is no number", "*x\r\n", ["invalid multibulk length"]],
  ["a huge count", "*2147483648\r\n", ["invalid multibulk length"]],
  ["a length with a leading zero", "*1\r\n$03\r\nabc\r\n", ["invalid bulk length"]],
  ["a negative bulk", "*1\r\n$-1\r\n", ["invalid bulk length"]],
  ["a bulk of 512 MiB", "*1\r\n$536870912\r\n", ["invalid bulk length"]],
  ["a missing dollar", "*1\r\n:3\r\n", ["expected '$', got ':'"]],
];

for (const [name, input, expected] of rows) {
  test(`RequestDecoder decodes ${name}`, () => {
    expect(decode([input])).toEqual(expected);
  });

  test(`RequestDecoder decodes ${name} at each split`, () => {
    for (let at = 1; at < input.length; at++) {
      expect(decode([input.slice(0, at), input.slice(at)])).toEqual(expected);
    }
    expect(decode(input.split(""))).toEqual(expected);
  });
}

test("RequestDecoder bounds lines without an end", () => {
  expect(decode(["x".repeat(65537)])).toEqual(["too big inline request"]);
  expect(decode(["*" + "1".repeat(65537)])).toEqual(["too big mbulk count string"]);
  expect(decode(["*1\r\n$" + "1".repeat(65537)])).toEqual(["too big bulk count string"]);
});

test("RequestDecoder bounds requests before authentication", () => {
  const prepare = (decoder: RequestDecoder) => {
    decoder.authenticated = false;
  };
  expect(decode(["*11\r\n"], prepare)).toEqual(["unauthenticated multibulk length"]);
  expect(decode(["*1\r\n$16385\r\n"], prepare)).toEqual(["unauthenticated bulk length"]);
  expect(decode(["*1\r\n$2\r\nhi\r\n"], prepare)).toEqual([["hi"]]);
});

test("RequestDecoder bounds one request and counts what it holds", () => {
  const decoder = new RequestDecoder();
  decoder.requestBytesMax = 1000;
  decoder.push(Buffer.from("*3\r\n$500\r\n" + "x".repeat(500) + "\r\n$300\r\n" + "y".repeat(100)));
  expect(decoder.next()).toBeUndefined();
  expect(decoder.heldBytes).toBe(532 + 100);
  decoder.push(Buffer.from("y".repeat(200) + "\r\n$200\r\n" + "z".repeat(150)));
  expect(() => decoder.next()).toThrow(new ProtocolError("too big request"));
});

test("RequestDecoder does not allocate what a header claims", () => {
  const decoder = new RequestDecoder();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 20; i++) {
    const each = new RequestDecoder();
    each.push(Buffer.from("*1000000000\r\n$400000000\r\nabc"));
    expect(each.next()).toBeUndefined();
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  expect(decoder.heldBytes).toBe(0);
});

test("RequestDecoder takes any bytes in any chunks without another error", () => {
  const prng = new Prng(7);
  const alphabet = "*$\r\n0123-9ab\"'\\x \0\xff";
  for (let round = 0; round < 2000; round++) {
    const input = Array.from({ length: 1 + prng.below(60) }, () => alphabet[prng.below(20)]).join(
      "",
    );
    const whole = decode([input]);
    expect(decode(input.split(""))).toEqual(whole);
  }
});
