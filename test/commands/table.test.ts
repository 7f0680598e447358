import { expect, test } from "bun:test";
import { ErrorReply } from "../../src/resp/reply.ts";
import { findCommand, keysOf, resolve } from "../../src/commands/table.ts";
import type { Bytes } from "../../src/base/bytes.ts";

function errorOf(...argv: Bytes[]): Bytes {
  const resolved = resolve(argv);
  if (!(resolved instanceof ErrorReply)) throw new Error(`resolved to ${resolved.name}`);
  return resolved.text;
}

test("findCommand ignores case", () => {
  expect(findCommand("ping")?.name).toBe("ping");
  expect(findCommand("PING")?.name).toBe("ping");
  expect(findCommand("pInG")?.name).toBe("ping");
  expect(findCommand("ping\0")).toBeUndefined();
  expect(findCommand("")).toBeUndefined();
});

test("resolve walks containers", () => {
  const resolved = resolve(["CLIENT", "GetName"]);
  expect(resolved instanceof ErrorReply ? resolved.text : resolved.name).toBe("client|getname");
});

test("resolve answers Redis's errors", () => {
  expect(errorOf("foo")).toBe("ERR unknown command 'foo', with args beginning with: ");
  expect(errorOf("foo", "a\r\nb", "c")).toBe(
    "ERR unknown command 'foo', with args beginning with: 'a  b' 'c' ",
  );
  expect(errorOf("f".repeat(200))).toBe(
    `ERR unknown command '${"f".repeat(128)}', with args beginning with: `,
  );
  expect(errorOf("client")).toBe("ERR wrong number of arguments for 'client' command");
  expect(errorOf("client", "nope")).toBe("ERR unknown subcommand 'nope'. Try CLIENT HELP.");
  expect(errorOf("client", "KILL")).toBe(
    "ERR wrong number of arguments for 'client|kill' command",
  );
});

test("keysOf follows first, last and step", () => {
  const run = () => null;
  const base = { name: "x", arity: -2, path: "read", run } as const;
  const argv = ["x", "a", "1", "b", "2"];
  expect(keysOf({ ...base, keys: { first: 1, last: -1, step: 2 } }, argv)).toEqual(["a", "b"]);
  expect(keysOf({ ...base, keys: { first: 1, last: 2, step: 1 } }, argv)).toEqual(["a", "1"]);
  expect(keysOf(base, argv)).toEqual([]);
});
