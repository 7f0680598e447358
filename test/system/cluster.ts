import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import {
  type BalsaOptions,
  freePort,
  scratchDirectory,
  type Server,
  startBalsa,
} from "./harness.ts";
import { type Decoded, RespClient, RespError } from "./resp_client.ts";

/** One node of a cluster under test, running or not. */
interface Member {
  readonly data: string;
  readonly port: number;
  readonly peerPort: number;
  server: Server | undefined;
  client: RespClient | undefined;
}

/** A cluster of processes on this machine. Nodes are numbered from 0 in the order of their start. */
export class TestCluster {
  readonly members: Member[] = [];
  readonly #options: BalsaOptions;

  constructor(options: BalsaOptions = {}) {
    this.#options = options;
  }

  /** Founds a cluster of `count` nodes. */
  static async found(count: number, options: BalsaOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options);
    for (let i = 0; i < count; i++) cluster.members.push(await makeMember());
    await Promise.all(cluster.members.map((_, i) => cluster.start(i)));
    return cluster;
  }

  /** Starts a new node that joins; resolves when it serves. */
  async add(options: BalsaOptions = {}): Promise<number> {
    const node = await this.prepare(options.data);
    await this.start(node, options);
    return node;
  }

  /** Makes room for a node with a data directory of its own or this one; `start` starts it. */
  async prepare(data?: string): Promise<number> {
    this.members.push(await makeMember(data));
    return this.members.length - 1;
  }

  /** Starts a node (again), with more environment or arguments; resolves when it serves. */
  async start(node: number, options: BalsaOptions = {}): Promise<void> {
    const member = this.members[node];
    const founders = this.members.slice(0, 3).map(({ peerPort }) => `127.0.0.1:${peerPort}`);
    const expect = node < 3 ? ["--bootstrap-expect", String(founders.length)] : [];
    const { port, peerPort, data } = member;
    const args = ["--port", String(port), "--peer-port", String(peerPort), "--http-port", "0"];
    args.push("--join", founders.join(","), ...expect);
    member.server = await startBalsa({
      ...this.#options,
      ...options,
      data,
      env: { ...this.#options.env, ...options.env },
      args: [...args, ...this.#options.args ?? [], ...options.args ?? []],
    });
  }

  async kill9(node: number): Promise<void> {
    this.#disconnect(node);
    await this.members[node].server?.kill9();
  }

  /** Ends a node once all that it has applied is in its state.db. */
  async kill9WhenDurable(node: number): Promise<void> {
    await this.command(node, "RAFT.SNAPSHOT");
    await this.kill9(node);
  }

  async stop(node: number): Promise<void> {
    this.#disconnect(node);
    await this.members[node].server?.stop();
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.members.map((_, node) => this.stop(node)));
  }

  server(node: number): Server {
    const { server } = this.members[node];
    if (server === undefined) throw new Error(`Node ${node} was not started`);
    return server;
  }

  async command(node: number, ...argv: string[]): Promise<Decoded> {
    return await (await this.client(node)).command(...argv);
  }

  async client(node: number): Promise<RespClient> {
    const member = this.members[node];
    if (member.client === undefined || member.client.closed) {
      member.client = await RespClient.open(member.port);
    }
    return member.client;
  }

  /** The fields of INFO raft; undefined while the node does not answer. */
  async raft(node: number): Promise<Map<string, string> | undefined> {
    try {
      const text = String(await this.command(node, "INFO", "raft"));
      const lines = text.split("\r\n").map((line) => line.split(":"));
      return new Map(lines.map(([name, ...rest]) => [name, rest.join(":")]));
    } catch {
      return undefined;
    }
  }

  /** The node that leads; undefined when none says so. */
  async leader(): Promise<number | undefined> {
    for (const node of this.members.keys()) {
      const { server } = this.members[node];
      if (server === undefined) continue;
      if ((await this.raft(node))?.get("raft_role") === "leader") return node;
    }
    return undefined;
  }

  /** Whether these nodes stand at the same index; throws when their digests there differ. */
  async areEqual(nodes: readonly number[]): Promise<boolean> {
    const infos = await Promise.all(nodes.map((node) => this.raft(node)));
    const applied = infos.map((info) => info?.get("raft_applied"));
    if (applied[0] === undefined || applied.some((index) => index !== applied[0])) return false;
    const digests = infos.map((info) => info?.get("raft_digest"));
    if (digests.some((digest) => digest !== digests[0])) {
      throw new Error(`The digests differ at ${applied[0]}: ${digests.join(" ")}`);
    }
    return true;
  }

  /** What state.db of a stopped node holds, whichever of them stopped first. */
  contents(node: number): string {
    const path = join(this.members[node].data, "state.db");
    const sql = new DatabaseSync(path, { readOnly: true });
    try {
      const keys = sql.prepare("SELECT * FROM redis ORDER BY db, key").all();
      const elements = ELEMENT_VIEWS.map((view) => sql.prepare(`SELECT * FROM ${view}`).all());
      // A leader that comes after the first has stopped makes an entry, which changes no data.
      const applied = "SELECT version, hex(configuration) FROM applied";
      return JSON.stringify([sql.prepare(applied).all(), keys, elements]);
    } finally {
      sql.close();
    }
  }

  #disconnect(node: number): void {
    this.members[node].client?.close();
    this.members[node].client = undefined;
  }
}

/** What state.db shows of collections, in the order of what they were made in. */
const ELEMENT_VIEWS = ["hashes", "sets", "lists", "zsets", "streams", "streams_pending"];

/** Throws where a reply is an error; returns it otherwise. */
export function orThrow(reply: Decoded): Decoded {
  if (reply instanceof RespError) throw new Error(reply.text);
  return reply;
}

async function makeMember(data = join(scratchDirectory(), "data")): Promise<Member> {
  return {
    data,
    port: await freePort(),
    peerPort: await freePort(),
    server: undefined,
    client: undefined,
  };
}
