import { encodeCommand } from "./resp_client.ts";

/** What a client sends, and what becomes of its connection. */
export interface ProtocolCase {
  readonly name: string;
  readonly bytes: string;
  /** How the real server behaves: it goes on serving, closes, or waits for more. */
  readonly then: "lives" | "closes" | "waits";
}

function lives(name: string, bytes: string): ProtocolCase {
  return { name, bytes, then: "lives" };
}

function closes(name: string, bytes: string): ProtocolCase {
  return { name, bytes, then: "closes" };
}

function waits(name: string, bytes: string): ProtocolCase {
  return { name, bytes, then: "waits" };
}

const PING = encodeCommand(["PING"]);
const INLINE_MAX = 64 * 1024;

/** Bytes that are no proper request, or only just. */
export const PROTOCOL_CASES: readonly ProtocolCase[] = [
  lives("empty lines", "\r\n\r\n\n\r\n"),
  lives("an empty array", "*0\r\n"),
  lives("a null array", "*-1\r\n"),
  lives("a very negative array", "*-9223372036854775808\r\n"),
  lives("an inline command", "PING\r\n"),
  lives("an inline command with a bare newline", "PING\n"),
  lives("an inline command between blanks", "  ECHO   a \t \r\n"),
  lives("inline double quotes", 'ECHO "a b\\x00\\xff\\n\\r\\t\\b\\a\\"\\\\"\r\n'),
  lives("inline single quotes", "ECHO 'a \\' \\x00 b'\r\n"),
  lives("inline empty quotes", 'ECHO ""\r\n'),
  lives("an unknown inline command", "hello world\r\n"),
  lives("binary garbage as inline", "\x01\xff\xfe\r\n"),
  lives("garbage before a request", "\x16\x03\x01\r\n" + PING),
  lives("spaces only", "   \r\n"),
  lives("a command of no name", "*1\r\n$0\r\n\r\n"),
  lives("a command of binary name", encodeCommand(["\x00\xff\r\n"])),
  lives("a very long command name", encodeCommand(["x".repeat(300)])),
  lives("an unknown command with many arguments", encodeCommand(["NOPE", ..."abcdefgh"])),
  lives("an unknown command with long arguments", encodeCommand(["NOPE", "x".repeat(200), "y"])),
  lives("an unknown command with line ends", encodeCommand(["NO\r\nPE", "a\r\nb"])),
  lives("wrong arity, below", encodeCommand(["GET"])),
  lives("wrong arity, above", encodeCommand(["GET", "a", "b"])),
  lives("wrong arity of a subcommand", encodeCommand(["OBJECT", "ENCODING"])),
  lives("an unknown subcommand", encodeCommand(["OBJECT", "NOPE", "a"])),
  lives("a container without subcommand", encodeCommand(["OBJECT"])),
  lives("case does not matter", encodeCommand(["pInG"])),
  lives("requests after each other", PING + PING + encodeCommand(["ECHO", "x"]) + "PING\r\n"),
  lives("an error among requests", PING + encodeCommand(["GET"]) + PING),
  lives("HELLO of a wrong version", encodeCommand(["HELLO", "4"])),
  lives("HELLO of no number", encodeCommand(["HELLO", "x"])),
  lives("HELLO with wrong options", encodeCommand(["HELLO", "2", "NOPE"])),
  lives("AUTH without a password set", encodeCommand(["AUTH", "x"])),
  lives("SELECT out of range", encodeCommand(["SELECT", "16"])),
  lives("SELECT of no number", encodeCommand(["SELECT", "x"])),
  lives("SET NaN as expiry", encodeCommand(["SET", "a", "b", "EX", "nan"])),
  lives("SET zero as expiry", encodeCommand(["SET", "a", "b", "EX", "0"])),
  lives("SET an overflowing expiry", encodeCommand(["SET", "a", "b", "EX", "9223372036854775807"])),
  lives("SETRANGE out of range", encodeCommand(["SETRANGE", "a", "536870912", "b"])),
  lives("SETRANGE at minus one", encodeCommand(["SETRANGE", "a", "-1", "b"])),
  lives("INCRBY out of range", encodeCommand(["INCRBY", "a", "9223372036854775808"])),
  lives("INCRBYFLOAT of NaN", encodeCommand(["INCRBYFLOAT", "f", "nan"])),
  lives("INCRBYFLOAT of infinity", encodeCommand(["INCRBYFLOAT", "f", "inf"])),
  closes("QUIT", encodeCommand(["QUIT"])),
  closes("QUIT inline, then more", "QUIT\r\nPING\r\n"),
  closes("a bulk header without a dollar", "*1\r\nPING\r\n"),
  closes("a colon for a dollar", "*1\r\n:4\r\nPING\r\n"),
  closes("an array length of no number", "*x\r\n"),
  closes("an empty array length", "*\r\n"),
  closes("an array length with a plus", "*+1\r\n"),
  closes("an array length with a blank", "* 1\r\n"),
  closes("a leading zero in an array length", "*01\r\n"),
  closes("a leading zero in a bulk length", "*1\r\n$04\r\nPING\r\n"),
  closes("a carriage return for a dollar", "*1\r\n\r\n"),
  closes("a newline for a dollar", "*1\r\n\n\r\n"),
  closes("a high byte for a dollar", "*1\r\n\xff\r\n"),
  closes("an array of 2^31", "*2147483648\r\n"),
  closes("an array length of 30 digits", "*" + "9".repeat(30) + "\r\n"),
  closes("a bulk length of no number", "*1\r\n$x\r\n"),
  closes("an empty bulk length", "*1\r\n$\r\n"),
  closes("a negative bulk length", "*1\r\n$-1\r\n"),
  closes("a bulk of 512 MiB + 1", "*2\r\n$4\r\nECHO\r\n$536870913\r\n"),
  closes("a bulk of 2^63", "*1\r\n$9223372036854775808\r\n"),
  closes("a good request before garbage", PING + "*1\r\n!\r\n"),
  closes("garbage before a good request", "*1\r\n!\r\n" + PING),
  closes("unbalanced double quotes", 'ECHO "a\r\n'),
  closes("unbalanced single quotes", "ECHO 'a\r\n"),
  closes("a closing quote before a letter", 'ECHO "a"b\r\n'),
  closes("too large an inline request", "x".repeat(INLINE_MAX + 1)),
  closes("too large an array header", "*" + "1".repeat(INLINE_MAX + 1)),
  closes("too large a bulk header", "*1\r\n$" + "1".repeat(INLINE_MAX + 1)),
  closes("an HTTP POST", "POST / HTTP/1.1\r\nHost: x\r\n\r\n"),
  closes("an HTTP Host header", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  waits("half an array header", "*1"),
  waits("half a bulk header", "*1\r\n$4"),
  waits("half a bulk", "*1\r\n$4\r\nPI"),
  waits("a bulk without its line end", "*1\r\n$4\r\nPING"),
  waits("an array that lacks a bulk", "*2\r\n$4\r\nECHO\r\n"),
  waits("half an inline command", "PIN"),
  waits("a carriage return only", "PING\r"),
  waits("a good request, then half of one", PING + "*1\r\n$4\r\nPI"),
  waits("a write, then half a request", encodeCommand(["SET", "half", "1"]) + "*2\r\n"),
  waits("an array of 1024 * 1024 + 1", "*1048577\r\n"),
  waits("an array of 2^31 - 1", "*2147483647\r\n"),
  waits("a bulk of 512 MiB - 1", "*2\r\n$4\r\nECHO\r\n$536870911\r\n"),
];
