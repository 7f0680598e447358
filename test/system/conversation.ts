import { expect } from "bun:test";
import { splitInline } from "../../src/resp/inline.ts";
import { until } from "./harness.ts";
import { encodeCommand, RespClient } from "./resp_client.ts";

/** What one read of a conversation got, with the line of the script that asked for it. */
type Heard = readonly [line: string, raw: string];

/** Numbers of connections, that each server counts for itself, are compared as one. */
export type Mask = (raw: string) => string;

/**
 * Plays a script on connections of its own, each made when its name is first met; a name in upper
 * case speaks RESP3. Lines, blank ones and those that begin with "#" excepted:
 *
 *     a: SET k v      sends, and reads one reply
 *     a> BLPOP k 0    sends only
 *     a< 2            reads two replies or messages
 *     a!              waits until the command of a waits for data
 *
 * `{a}` in a command is the id of connection a. Returns the bytes of each read, and fails when
 * something is left unread.
 */
export async function converse(ports: readonly number[], script: string): Promise<Heard[]> {
  const clients = new Map<string, RespClient>();
  const ids = new Map<string, string>();
  const portOf = new Map<string, number>();
  const heard: Heard[] = [];
  const controls = await Promise.all(
    ports.length > 1 ? ports.map((port) => RespClient.open(port)) : [],
  );
  const clientOf = async (name: string) => {
    let client = clients.get(name);
    if (client !== undefined) return client;
    const port = ports[clients.size % ports.length];
    portOf.set(name, port);
    client = await RespClient.open(port);
    clients.set(name, client);
    if (name !== name.toLowerCase()) await client.command("HELLO", "3");
    ids.set(name, String(await client.command("CLIENT", "ID")));
    return client;
  };
  try {
    for (const line of script.split("\n").map((each) => each.trim())) {
      if (line === "" || line.startsWith("#")) continue;
      const [, name, mark, rest] = /^(\w+)([:<>!])\s*(.*)$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`Cannot read the script's line: ${line}`);
      const client = await clientOf(name);
      if (mark === "!") {
        await isBlocked(portOf.get(name) ?? 0, ids.get(name) ?? "");
        continue;
      }
      if (mark !== "<") {
        const text = rest.replace(/\{(\w+)\}/g, (_, other) => ids.get(other) ?? "0");
        await client.send(encodeCommand(splitInline(text) ?? []));
      }
      const reads = mark === "<" ? Number(rest) : mark === ":" ? 1 : 0;
      for (let i = 0; i < reads; i++) heard.push([line, await client.readRaw()]);
      // What was answered is now applied on every node, so what that tells clients is on its way.
      await Promise.all(controls.map((control) => control.command("DBSIZE")));
    }
    for (const [name, client] of clients) {
      heard.push([`${name}: (rest)`, client.unread]);
    }
  } finally {
    for (const client of [...clients.values(), ...controls]) client.close();
  }
  return heard;
}

/**
 * Waits until all nodes of a cluster hear each other: a new one serves when a majority does, and a
 * message between two that are not connected yet is lost.
 */
export async function allConnected(ports: readonly number[]): Promise<void> {
  const clients = await Promise.all(ports.map((port) => RespClient.open(port)));
  for (const client of clients) await client.command("SUBSCRIBE", "connected");
  const asking = await Promise.all(ports.map((port) => RespClient.open(port)));
  for (const client of asking) {
    await until(
      async () => Number(await client.command("PUBLISH", "connected", "?")) === ports.length,
      "connections between all nodes",
    );
  }
  for (const client of [...clients, ...asking]) client.close();
}

/** Waits until the command of the client with this id waits for data. */
export async function isBlocked(port: number, id: string): Promise<void> {
  const client = await RespClient.open(port);
  await until(
    async () => / flags=\w*b/.test(String(await client.command("CLIENT", "LIST", "ID", id))),
    "a command that waits",
  );
  client.close();
}

/** Plays a script to Balsa's ports and to redis-server's: each read must be the same. */
export async function compareConversations(
  balsa: readonly number[],
  redis: number,
  script: string,
  mask: Mask = (raw) => raw,
): Promise<void> {
  const masked = (heard: Heard[]) => heard.map(([line, raw]) => [line, mask(raw)]);
  const theirs = masked(await converse([redis], script));
  const ours = masked(await converse(balsa, script));
  expect(ours).toEqual(theirs);
}

/** Opens a client and has it wait; resolves once it does. */
export async function blocked(port: number, ...argv: string[]): Promise<RespClient> {
  const client = await RespClient.open(port);
  const id = String(await client.command("CLIENT", "ID"));
  void client.send(encodeCommand(argv));
  await isBlocked(port, id);
  return client;
}
