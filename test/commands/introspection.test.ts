import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Command } from "../../src/commands/command.ts";
import { loadMetadata, statusesOf } from "../../src/commands/metadata/metadata.ts";
import { newerCommands } from "../../src/commands/metadata/newer.ts";
import { ownCommands } from "../../src/commands/metadata/own.ts";
import { commands } from "../../src/commands/table.ts";
import { encodeReply } from "../../src/resp/encoder.ts";
import { decodeReply } from "../compat/decode_reply.ts";
import { type RawClient, RealRedis, replyEnd } from "../compat/real_redis.ts";
import { type FakeClient, FakeNode } from "./fake_views.ts";

let redis: RealRedis;

beforeAll(async () => {
  redis = await RealRedis.start();
});
afterAll(() => redis.stop());

/** Every offered command, subcommands behind their container. */
function everyCommand(): readonly Command[] {
  return [...commands.values()].flatMap((command) =>
    command.path === "container" ? [command, ...command.subcommands.values()] : [command]
  );
}

/** Those that redis-server 7.0 has too. */
async function sharedCommands(): Promise<readonly Command[]> {
  const metadata = await loadMetadata();
  return everyCommand().filter(({ name }) =>
    name in metadata && !(name in newerCommands) && !(name in ownCommands)
  );
}

interface Pair {
  readonly real: RawClient;
  readonly node: FakeNode;
  readonly client: FakeClient;
}

async function connect(protocol: 2 | 3): Promise<Pair> {
  const real = await redis.connect();
  if (protocol === 3) await real.send(["HELLO", "3"]);
  const node = new FakeNode();
  const client = node.connect();
  client.protocol = protocol;
  return { real, node, client };
}

/** The bytes of both replies. */
async function both({ real, node, client }: Pair, argv: readonly Bytes[]): Promise<[Bytes, Bytes]> {
  return [await node.runRaw(client, argv), await real.send(argv) ?? "(closed)"];
}

test("each command agrees with Redis in arity, keys and flags", async () => {
  const metadata = await loadMetadata();
  const differences: unknown[] = [];
  for (const command of await sharedCommands()) {
    const [arity, flags, first, last, step] = metadata[command.name].info;
    const keys = command.keys ?? { first: 0, last: 0, step: 0 };
    const names = statusesOf(flags);
    // MIGRATE waits for another server; what it deletes goes through the log by itself.
    if (command.name === "migrate") continue;
    // LOLWUT reads no data, whatever Redis calls it.
    if (command.name === "lolwut") continue;
    // Users are a part of the state here.
    if (command.name === "acl|setuser" || command.name === "acl|deluser") continue;
    const path = names.includes("write") ? "write" : names.includes("readonly") ? "read" : "other";
    // In Redis scripts are no data, nor does it know of one whether it writes.
    const isOfScripts = path === "other" &&
      /^(evalsha|eval|fcall|(script|function)\|.*)$/.test(command.name);
    const isOfData = command.path === "write" || command.path === "read";
    const ours = isOfData && !isOfScripts ? command.path : "other";
    const expected = { name: command.name, arity, first, last, step, path };
    const actual = { name: command.name, arity: command.arity, ...keys, path: ours };
    if (JSON.stringify(expected) !== JSON.stringify(actual)) differences.push({ expected, actual });
  }
  expect(differences).toEqual([]);
});

test("each command that Redis allows before AUTH is allowed, and no other", async () => {
  const metadata = await loadMetadata();
  const differences: string[] = [];
  for (const command of await sharedCommands()) {
    if (command.path === "container") continue;
    const expected = statusesOf(metadata[command.name].info[1]).includes("no_auth");
    const actual = command.path === "local" && command.noAuth === true;
    if (expected !== actual) differences.push(command.name);
  }
  expect(differences).toEqual([]);
});

test("each command has metadata", async () => {
  const metadata = await loadMetadata();
  const missing = everyCommand().filter(({ name }) => !(name in metadata));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

for (const protocol of [2, 3] as const) {
  test(`COMMAND INFO and DOCS of each command, RESP${protocol}`, async () => {
    const pair = await connect(protocol);
    const differences: unknown[] = [];
    for (const command of await sharedCommands()) {
      // A container lists the subcommands that are offered, in another order.
      if (command.path === "container") continue;
      for (const what of ["INFO", "DOCS"]) {
        const [actual, expected] = await both(pair, ["COMMAND", what, command.name]);
        if (actual !== expected) differences.push({ name: command.name, actual, expected });
      }
    }
    pair.real.close();
    expect(differences).toEqual([]);
  });

  test(`COMMAND INFO and DOCS of containers, RESP${protocol}`, async () => {
    const pair = await connect(protocol);
    const shared = new Set((await sharedCommands()).map(({ name }) => bulk(name)));
    for (const command of await sharedCommands()) {
      if (command.path !== "container") continue;
      const infos = await both(pair, ["COMMAND", "INFO", command.name]);
      const [ourInfo, realInfo] = infos.map((raw) => childrenOf(childrenOf(raw)[0]));
      expect(ourInfo.slice(0, 9)).toEqual(realInfo.slice(0, 9));
      const realRows = new Set(childrenOf(realInfo[9]));
      for (const row of childrenOf(ourInfo[9])) {
        if (shared.has(childrenOf(row)[0])) expect(realRows).toContain(row);
      }
      const docs = await both(pair, ["COMMAND", "DOCS", command.name]);
      const [ourDocs, realDocs] = docs.map((raw) => childrenOf(childrenOf(raw)[1]));
      expect(ourDocs.slice(0, -1)).toEqual(realDocs.slice(0, -1));
      const [ourSubs, realSubs] = [ourDocs, realDocs].map((rows) => childrenOf(rows.at(-1) ?? ""));
      for (let i = 0; i < ourSubs.length; i += 2) {
        if (!shared.has(ourSubs[i])) continue;
        expect(ourSubs[i + 1]).toBe(realSubs[realSubs.indexOf(ourSubs[i]) + 1]);
      }
    }
    pair.real.close();
  });
}

function bulk(text: string): Bytes {
  return `$${text.length}\r\n${text}\r\n`;
}

/** The replies that an aggregate holds, each as its bytes; of a map the keys and values. */
function childrenOf(raw: Bytes): Bytes[] {
  const children: Bytes[] = [];
  for (let at = raw.indexOf("\r\n") + 2; at < raw.length;) {
    const end = replyEnd(raw, at);
    children.push(raw.slice(at, end));
    at = end;
  }
  return children;
}

test("COMMAND, COMMAND COUNT and COMMAND LIST tell what is offered", async () => {
  const node = new FakeNode();
  const client = node.connect();
  client.protocol = 3;
  const all = decodeReply(await node.runRaw(client, ["COMMAND"]));
  const rows = all.kind === "array" ? all.items : [];
  const names = rows.map((row) =>
    row.kind === "array" && row.items[0].kind === "bulk" ? row.items[0].text : ""
  );
  expect(names).toEqual([...commands.keys()]);
  expect(await node.runRaw(client, ["COMMAND", "INFO"])).toBe(
    await node.runRaw(client, ["command"]),
  );
  expect(await node.run(client, ["COMMAND", "COUNT"])).toBe(commands.size);
  const list = decodeReply(await node.runRaw(client, ["COMMAND", "LIST"]));
  expect(list.kind).toBe("set");
  const listed = list.kind === "set" ? list.items : [];
  expect(listed.map((item) => item.kind === "bulk" ? item.text : "")).toEqual(
    everyCommand().map(({ name }) => name),
  );
  const docs = decodeReply(await node.runRaw(client, ["COMMAND", "DOCS"]));
  expect(docs.kind === "map" ? docs.entries.length : 0).toBe(commands.size);
});

test("COMMAND LIST FILTERBY keeps what Redis keeps", async () => {
  const pair = await connect(2);
  const shared = new Set((await sharedCommands()).map(({ name }) => name));
  for (
    const filter of [["ACLCAT", "STRING"], ["aclcat", "connection"], ["pattern", "*GET*"], [
      "pattern",
      "c*|[g-l]*",
    ]]
  ) {
    const [ours, real] = (await both(pair, ["COMMAND", "LIST", "FILTERBY", ...filter])).map(
      (raw) => {
        const reply = decodeReply(raw);
        const items = reply.kind === "array" ? reply.items : [];
        return items.map((item) => item.kind === "bulk" ? item.text : "")
          .filter((name) => shared.has(name)).sort();
      },
    );
    expect(ours.length).toBeGreaterThan(0);
    expect(ours).toEqual(real);
  }
  pair.real.close();
});

test("each command of our own agrees with its metadata in arity", () => {
  const own = everyCommand().filter(({ name }) => name in ownCommands);
  expect(own.map(({ name }) => name).sort()).toEqual(Object.keys(ownCommands).sort());
  for (const { name, arity } of own) {
    expect([name, ownCommands[name].info[0]]).toEqual([name, arity]);
  }
});

test("COMMAND INFO describes a command of newer Redis", async () => {
  const node = new FakeNode();
  const reply = await node.run(node.connect(), ["COMMAND", "INFO", "client|no-touch", "nope"]);
  expect(encodeReply(reply, 2)).toStartWith("*2\r\n*10\r\n$15\r\nclient|no-touch\r\n:3\r\n");
  expect(encodeReply(reply, 2)).toEndWith("$-1\r\n");
});
