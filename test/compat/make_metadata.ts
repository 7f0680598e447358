/**
 * Writes src/commands/metadata/redis_7_0.json from a running redis-server 7.0:
 * `bun test/compat/make_metadata.ts`. One line a command, sorted; COMMAND INFO and COMMAND DOCS of
 * every command, as RESP3 replies in JSON: a map is an object, a set is {"~": […]}, one of
 * statuses {"~+": […]}, a bulk string a string.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { RealRedis } from "./real_redis.ts";
import { type Decoded, decodeReply } from "./decode_reply.ts";
import { utf8Decode } from "../../src/base/bytes.ts";

type Json = string | number | readonly Json[] | { readonly [key: string]: Json };

const TARGET = join(import.meta.dirname ?? ".", "../../src/commands/metadata/redis_7_0.json");

/** A decoded reply in the file's form; throws on a shape that the form has no place for. */
function toJson(reply: Decoded): Json {
  switch (reply.kind) {
    case "bulk":
      return utf8Decode(reply.text);
    case "integer":
      return Number(reply.text);
    case "array":
      return reply.items.map(toJson);
    case "set": {
      const statuses = reply.items.filter((item) => item.kind === "status");
      if (statuses.length === 0) return { "~": reply.items.map(toJson) };
      if (statuses.length < reply.items.length) throw new Error("a set of mixed kinds");
      return { "~+": statuses.map((item) => item.kind === "status" ? item.text : "") };
    }
    case "map": {
      const object: Record<string, Json> = {};
      for (const [key, value] of reply.entries) {
        if (key.kind !== "bulk") throw new Error(`a map key is a ${key.kind}`);
        object[key.text] = toJson(value);
      }
      return object;
    }
    default:
      throw new Error(`no place for a ${reply.kind}`);
  }
}

const redis = await RealRedis.start();
const client = await redis.connect();
await client.send(["HELLO", "3"]);

async function ask(...argv: string[]): Promise<Json> {
  const reply = await client.send(argv);
  if (reply === undefined) throw new Error("redis-server hung up");
  return toJson(decodeReply(reply));
}

const info: Record<string, Json> = {};
for (const row of await ask("COMMAND") as Json[][]) {
  const [name, arity, flags, first, last, step, categories, tips, keySpecs, subcommands] = row;
  info[name as string] = [arity, flags, first, last, step, categories, tips, keySpecs];
  // A command without subcommands has an empty set here, one with them an array.
  for (const sub of Array.isArray(subcommands) ? subcommands as Json[][] : []) {
    if (Array.isArray(sub[9])) throw new Error("a subcommand has subcommands");
    info[sub[0] as string] = [...sub.slice(1, 9)];
  }
}
const docs: Record<string, Json> = {};
for (const [name, doc] of Object.entries(await ask("COMMAND", "DOCS"))) {
  const { subcommands, ...rest } = doc as Record<string, Json>;
  docs[name] = rest;
  for (const [sub, subDoc] of Object.entries(subcommands ?? {})) docs[sub] = subDoc;
}
const lines = Object.keys(info).sort().map((name) =>
  `${JSON.stringify(name)}:${JSON.stringify({ info: info[name], docs: docs[name] })}`
);
writeFileSync(TARGET, `{\n${lines.join(",\n")}\n}\n`);
client.close();
await redis.stop();
