import { describe, expect, test } from "bun:test";
import { decodeReply } from "../compat/decode_reply.ts";
import { FakeNode } from "./fake_views.ts";

function connect() {
  const node = new FakeNode();
  const client = node.connect();
  return { node, client, run: (...argv: string[]) => node.runRaw(client, argv) };
}

describe("what is asked of the leader", () => {
  const REQUESTS: [string, object, string][] = [
    ["RAFT.NODE PROMOTE 7", { kind: "promote", id: 7 }, "+OK\r\n"],
    ["raft.node remove 7", { kind: "remove", id: 7 }, "+OK\r\n"],
    ["RAFT.TRANSFER_LEADER", { kind: "transfer", id: 0 }, "+OK\r\n"],
    ["RAFT.TRANSFER_LEADER 7", { kind: "transfer", id: 7 }, "+OK\r\n"],
    ["RAFT.NODE ADD 0 10.0.0.7:16379", { kind: "join", address: "10.0.0.7:16379" }, ADDED(7)],
    ["RAFT.NODE ADD 7 [::1]:16379", { kind: "add", id: 7, address: "[::1]:16379" }, ADDED(7)],
    ["RAFT.NODE ADD 0 db-1.lan:1", { kind: "join", address: "db-1.lan:1" }, ADDED(7)],
  ];
  for (const [line, request, reply] of REQUESTS) {
    test(line, async () => {
      const { node, run } = connect();
      expect(await run(...line.split(" "))).toBe(reply);
      expect(node.cluster.requests).toEqual([request] as typeof node.cluster.requests);
      node.cluster.answer = { ok: false, error: "the last voter\r\ncannot be removed" };
      expect(await run(...line.split(" "))).toBe("-ERR the last voter  cannot be removed\r\n");
    });
  }
});

function ADDED(id: number): string {
  return `*2\r\n:${id}\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n`;
}

describe("what is refused at once", () => {
  const REFUSED: [string, string][] = [
    ["RAFT.NODE REMOVE 0", "ERR invalid node id"],
    ["RAFT.NODE REMOVE x", "ERR invalid node id"],
    ["RAFT.NODE PROMOTE -1", "ERR invalid node id"],
    ["RAFT.TRANSFER_LEADER 0", "ERR invalid node id"],
    ["RAFT.NODE ADD -1 a:1", "ERR invalid node id"],
    ["RAFT.NODE ADD 1 a", "ERR invalid node address 'a'"],
    ["RAFT.NODE ADD 1 a:0", "ERR invalid node address 'a:0'"],
    ["RAFT.NODE ADD 1 a:65536", "ERR invalid node address 'a:65536'"],
    ["RAFT.NODE ADD 1 0.0.0.0:1", "ERR invalid node address '0.0.0.0:1'"],
    ["RAFT.NODE ADD 1 [::]:1", "ERR invalid node address '[::]:1'"],
    ["RAFT.NODE ADD 1 :1", "ERR invalid node address ':1'"],
    ["RAFT.NODE ADD 1 a\x00b:1", "ERR invalid node address 'a'"],
    ["RAFT.NODE ADD 1", "ERR wrong number of arguments for 'raft.node|add' command"],
    ["RAFT.NODE", "ERR wrong number of arguments for 'raft.node' command"],
    ["RAFT.NODE NOPE", "ERR unknown subcommand 'NOPE'. Try RAFT.NODE HELP."],
    [
      "RAFT.TRANSFER_LEADER 1 2",
      "ERR wrong number of arguments for 'raft.transfer_leader' command",
    ],
    ["RAFT.CLUSTER INIT", "ERR Already cluster member"],
  ];
  for (const [line, text] of REFUSED) {
    test(line, async () => {
      const { node, run } = connect();
      expect(await run(...line.split(" "))).toBe(`-${text}\r\n`);
      expect(node.cluster.requests).toEqual([]);
    });
  }
});

test("RAFT.CLUSTER INIT tells the id of a cluster of one node", async () => {
  const { node, run } = connect();
  node.cluster.current = { ...node.cluster.current, members: [node.cluster.current.members[0]] };
  expect(await run("RAFT.CLUSTER", "INIT")).toBe("+OK 0123456789abcdef0123456789abcdef\r\n");
});

test("RAFT.CLUSTER JOIN hands on addresses, when they are some", async () => {
  const { run } = connect();
  expect(await run("RAFT.CLUSTER", "JOIN", "a:1", "b:2")).toBe("-ERR cannot join a:1,b:2\r\n");
  expect(await run("RAFT.CLUSTER", "JOIN", "a:1", "b")).toBe("-ERR invalid node address 'b'\r\n");
});

test("RAFT.TRANSFER_LEADER to the leader asks for nothing", async () => {
  const { node, run } = connect();
  expect(await run("RAFT.TRANSFER_LEADER", "1")).toBe("+OK\r\n");
  expect(node.cluster.requests).toEqual([]);
});

test("RAFT.SNAPSHOT answers with its index, or why there is none", async () => {
  const { node, run } = connect();
  expect(await run("RAFT.SNAPSHOT")).toBe(":12\r\n");
  node.cluster.snapshotAnswer = { ok: false, error: "disk full" };
  expect(await run("RAFT.SNAPSHOT")).toBe("-ERR disk full\r\n");
});

test("RAFT.NODE LIST gives each member as a map", async () => {
  const { client, run } = connect();
  client.protocol = 3;
  const reply = decodeReply(await run("RAFT.NODE", "LIST"));
  const maps = reply.kind === "array" ? reply.items : [];
  expect(maps.map(({ kind }) => kind)).toEqual(["map", "map"]);
  client.protocol = 2;
  const flat = await run("RAFT.NODE", "LIST");
  expect(flat).toStartWith(
    "*2\r\n*16\r\n$2\r\nid\r\n:1\r\n$7\r\naddress\r\n$15\r\n127.0.0.1:16379",
  );
  expect(flat).toEndWith("$3\r\nlag\r\n:3\r\n$5\r\nstate\r\n$5\r\nprobe\r\n");
});

test("RAFT.CLUSTER STATUS tells all that the node knows", async () => {
  const raw = await connect().run("RAFT.CLUSTER", "STATUS");
  expect(raw).toStartWith("*22\r\n$10\r\ncluster_id\r\n");
  for (const part of ["$4\r\nterm\r\n:3", "$6\r\ndigest\r\n$8\r\n00c0ffee", "members\r\n*2\r\n"]) {
    expect(raw).toContain(part);
  }
});

describe("CLIENT CONSISTENCY", () => {
  test("sets and tells the read level; RESET restores it", async () => {
    const { client, run } = connect();
    expect(await run("CLIENT", "CONSISTENCY")).toBe("$12\r\nlinearizable\r\n");
    for (const level of ["stale", "LEASE", "Linearizable", "stale"]) {
      expect(await run("CLIENT", "CONSISTENCY", level)).toBe("+OK\r\n");
      expect<string>(client.consistency).toBe(level.toLowerCase());
    }
    expect(await run("RESET")).toBe("+RESET\r\n");
    expect(client.consistency).toBe("linearizable");
  });

  test("refuses other words", async () => {
    const { run } = connect();
    expect(await run("CLIENT", "CONSISTENCY", "weak")).toBe("-ERR syntax error\r\n");
    expect(await run("CLIENT", "CONSISTENCY", "stale", "x")).toBe("-ERR syntax error\r\n");
  });
});
