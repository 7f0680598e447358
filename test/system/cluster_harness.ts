import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  balsaCommand,
  DEFAULT_RUNTIME,
  type Exit,
  freePort,
  launch,
  type Launched,
  type Runtime,
  scratchDirectory,
  sleep,
  until,
} from "./harness.ts";
import { type Decoded, RespClient, RespError } from "./resp_client.ts";

export interface ClusterOptions {
  readonly nodes?: number;
  /** One for each node; what is missing runs on the default. */
  readonly runtimes?: readonly Runtime[];
  /** Flags for every node. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Data directories; fresh ones when absent. */
  readonly data?: readonly string[];
}

/** The lines `raft_*` and others of INFO, by name. */
export type Info = Readonly<Record<string, string>>;

export interface ClusterNodeOptions {
  /** Where it listens (127.0.0.1). */
  readonly host?: string;
  readonly port: number;
  readonly peerPort: number;
  readonly data: string;
  readonly runtime: Runtime;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command line. */
  readonly wrapper?: readonly string[];
}

/** One node of a cluster under test: where it is, and its process while it has one. */
export class ClusterNode {
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
  readonly data: string;
  /** What its next run is on. */
  runtime: Runtime;
  readonly args: readonly string[];
  readonly #options: ClusterNodeOptions;
  #running: Launched | undefined;
  #client: RespClient | undefined;
  #earlierOutput = "";

  constructor(options: ClusterNodeOptions) {
    this.#options = options;
    this.host = options.host ?? "127.0.0.1";
    this.port = options.port;
    this.peerPort = options.peerPort;
    this.data = options.data;
    this.runtime = options.runtime;
    this.args = options.args;
  }

  get address(): string {
    return `${this.host}:${this.peerPort}`;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  get pid(): number {
    return this.#running?.server.pid ?? 0;
  }

  /** All it has printed, in this run and those before. */
  get output(): string {
    return this.#earlierOutput + (this.#running?.output() ?? "");
  }

  /** How its latest run that is over ended. */
  lastExit: Exit | undefined;

  /** Starts its process, with more environment; does not wait for it. */
  start(more: Readonly<Record<string, string>> = {}): void {
    const command = balsaCommand(this.runtime);
    if (command === undefined) throw new Error(`Cannot start: no ${this.runtime} here`);
    const { wrapper = [], env } = this.#options;
    const words = [...wrapper, ...command, "serve", "--data", this.data, "--host", this.host];
    words.push("--port", String(this.port), "--http-port", "0");
    words.push("--peer-port", String(this.peerPort), ...this.args);
    this.#running = launch(words, this.data, { ...env, ...more });
    const running = this.#running;
    running.server.exited.then((exit) => {
      this.lastExit = exit;
      if (this.#running !== running) return;
      this.#earlierOutput += running.output();
      this.#running = undefined;
    });
  }

  /** Resolves when it serves; rejects when it ends before that. */
  async ready(): Promise<void> {
    await this.#running?.waitFor(/ready to accept connections/);
  }

  /** A connection that is kept for `command`, and opened anew once it is closed. */
  async client(): Promise<RespClient> {
    if (this.#client === undefined || this.#client.closed) {
      this.#client = await RespClient.open(this.port, this.host);
    }
    return this.#client;
  }

  async command(...argv: string[]): Promise<Decoded> {
    return await (await this.client()).command(...argv);
  }

  async kill9(): Promise<void> {
    this.#client?.close();
    await this.#running?.server.kill9();
    await sleep(0);
  }

  /** Ends it once all that it has applied is in its state.db. */
  async kill9WhenDurable(): Promise<void> {
    orThrow(await this.command("RAFT.SNAPSHOT"));
    await this.kill9();
  }

  /** Ends it at once and removes its data directory. */
  async wipe(): Promise<void> {
    await this.kill9();
    rmSync(this.data, { recursive: true });
  }

  /** SIGTERM; resolves to its exit code. */
  async stop(): Promise<number | null> {
    const exit = await this.#running?.server.stop();
    await sleep(0);
    return exit?.code ?? null;
  }

  signal(name: "SIGSTOP" | "SIGCONT" | "SIGTERM"): void {
    if (this.pid !== 0) process.kill(this.pid, name);
  }

  /** INFO's lines; undefined when it does not answer within a second. */
  async info(section = "raft"): Promise<Info | undefined> {
    if (!this.isRunning) return undefined;
    let client: RespClient | undefined;
    const timer = setTimeout(() => client?.close(), 1000);
    try {
      client = await RespClient.open(this.port, this.host);
      const text = String(await client.command("INFO", section));
      const pairs = [...text.matchAll(/^([^#:\r\n]+):([^\r\n]*)/gm)];
      return Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
    } catch {
      return undefined;
    } finally {
      clearTimeout(timer);
      client?.close();
    }
  }
}

/** Nodes on this machine that form one cluster. */
export class TestCluster {
  readonly nodes: ClusterNode[];
  readonly #env: Readonly<Record<string, string>> | undefined;

  /** `env`: for nodes that are added. */
  constructor(nodes: ClusterNode[], env?: Readonly<Record<string, string>>) {
    this.nodes = nodes;
    this.#env = env;
  }

  /** Starts nodes that found a cluster, and waits for its first leader. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const count = options.nodes ?? 3;
    const ports: number[] = [];
    for (let i = 0; i < 2 * count; i++) ports.push(await distinctPort(ports));
    const peers = ports.slice(count).map((port) => `127.0.0.1:${port}`).join();
    const founding = ["--bootstrap-expect", String(count), "--join", peers];
    const nodes = ports.slice(0, count).map((port, i) =>
      new ClusterNode({
        port,
        peerPort: ports[count + i],
        data: options.data?.[i] ?? join(scratchDirectory(), "data"),
        runtime: options.runtimes?.[i] ?? DEFAULT_RUNTIME,
        args: [...founding, ...(options.args ?? [])],
        env: options.env,
      })
    );
    const cluster = new TestCluster(nodes, options.env);
    for (const node of nodes) node.start();
    await cluster.leader();
    return cluster;
  }

  /** Adds a node that joins, in a directory of its own or this one; does not wait for it. */
  async add(args: readonly string[] = [], data?: string): Promise<ClusterNode> {
    const used = this.nodes.flatMap(({ port, peerPort }) => [port, peerPort]);
    const port = await distinctPort(used);
    const node = new ClusterNode({
      port,
      peerPort: await distinctPort([...used, port]),
      data: data ?? join(scratchDirectory(), "data"),
      runtime: DEFAULT_RUNTIME,
      args: ["--join", this.nodes.map(({ address }) => address).join(), ...args],
      env: this.#env,
    });
    this.nodes.push(node);
    node.start();
    return node;
  }

  /** The node that leads and is followed by a majority of those that answer. */
  async leader(timeoutMs = 60_000): Promise<ClusterNode> {
    let found: ClusterNode | undefined;
    await this.#until(
      async () => {
        found = await this.findLeader();
        return found !== undefined;
      },
      "a leader",
      timeoutMs,
    );
    return found!;
  }

  async findLeader(): Promise<ClusterNode | undefined> {
    const infos = await Promise.all(this.nodes.map((node) => node.info()));
    for (const [i, info] of infos.entries()) {
      if (info?.raft_role !== "leader") continue;
      const followers = infos.filter((each) =>
        each?.raft_term === info.raft_term && each?.raft_leader === info.raft_node_id
      );
      if (followers.length * 2 > Number(info.raft_voters) && info.raft_applied !== "0") {
        return this.nodes[i];
      }
    }
    return undefined;
  }

  /** The nodes that do not lead now. */
  async followers(): Promise<ClusterNode[]> {
    const leader = await this.leader();
    return this.nodes.filter((node) => node !== leader && node.isRunning);
  }

  /** Waits until all running nodes stand at the same index with the same digest. */
  async converged(timeoutMs = 60_000): Promise<string> {
    let digest = "";
    let seen = "";
    await this.#until(
      async () => {
        const running = this.nodes.filter((node) => node.isRunning);
        const infos = await Promise.all(running.map((node) => node.info()));
        const states = infos.map((info) => `${info?.raft_applied} ${info?.raft_digest}`);
        const isQuiet = infos.every((info) =>
          info !== undefined && info.raft_applied === info.raft_last_index
        );
        seen = states.join(", ");
        digest = infos[0]?.raft_digest ?? "";
        return isQuiet && new Set(states).size === 1;
      },
      () => `equal digests (${seen})`,
      timeoutMs,
    );
    return digest;
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) node.signal("SIGCONT");
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill9()));
  }

  /** What every node has printed, for a failure's message. */
  get output(): string {
    return this.nodes.map((node, i) => `--- node ${i + 1}\n${node.output}`).join("\n");
  }

  async #until(
    probe: () => Promise<boolean>,
    what: string | (() => string),
    timeoutMs: number,
  ): Promise<void> {
    try {
      await until(probe, "", timeoutMs);
    } catch {
      const text = typeof what === "string" ? what : what();
      throw new Error(`Waited ${timeoutMs} ms in vain for ${text}\n${this.output.slice(-8000)}`);
    }
  }
}

/** What a stopped node's state.db holds. */
export interface StateContents {
  /** Of all keys and values, and of what else all nodes must have alike whenever they stopped. */
  readonly hash: string;
  readonly rows: number;
  /** The entry that was applied last. */
  readonly index: number;
  /** Of what each entry changes, so that only nodes at one index have it alike. */
  readonly progress: string;
}

/** Reads a stopped node's state.db. */
export function stateContents(data: string): StateContents {
  // A copy, since reading a database in WAL mode writes beside it.
  const directory = mkdtempSync(join(tmpdir(), "balsa-test-state-"));
  const copy = join(directory, "state.db");
  for (const end of ["", "-wal"]) {
    const from = join(data, "state.db") + end;
    if (existsSync(from)) copyFileSync(from, copy + end);
  }
  const database = new Database(copy);
  const hash = createHash("sha256");
  let rows = 0;
  for (const table of dataTables(database)) {
    const columns = table === "applied" ? "version, configuration" : "*";
    const lines = database.query(`SELECT ${columns} FROM "${table}"`).values().map((row) =>
      JSON.stringify(
        row.map((cell) => cell instanceof Uint8Array ? Buffer.from(cell).toString("latin1") : cell),
      )
    );
    rows += lines.length;
    hash.update(table + "\n" + lines.sort().join("\n"));
  }
  const [[index, ...progress]] = database.query(
    "SELECT log_index, log_term, log_time_ms, digest, origins FROM applied",
  ).values();
  database.close();
  rmSync(directory, { recursive: true });
  return {
    hash: hash.digest("hex"),
    rows,
    index: Number(index),
    progress: JSON.stringify(progress),
  };
}

/**
 * Stopped nodes' state.db, which must be equal. A leader that stops hands over, and the next may
 * still make an entry about those who wait, which changes no data and which not all nodes live to
 * apply.
 */
export function equalStates(nodes: readonly ClusterNode[]): StateContents {
  const contents = nodes.map((node) => stateContents(node.data));
  for (const each of contents) {
    const sameIndex = contents.find(({ index }) => index === each.index)!;
    if (each.hash !== contents[0].hash || each.progress !== sameIndex.progress) {
      throw new Error(`state.db differs: ${JSON.stringify(contents, null, 2)}`);
    }
  }
  return contents[0];
}

/** Throws where a reply is an error; returns it otherwise. */
export function orThrow(reply: Decoded): Decoded {
  if (reply instanceof RespError) throw new Error(reply.text);
  return reply;
}

/** All tables but those about this node alone. */
function dataTables(database: Database): string[] {
  const rows = database.query("SELECT name FROM sqlite_master WHERE type = 'table'").values();
  return rows.map(([name]) => String(name)).filter((name) => !/^(meta|sqlite_)/.test(name)).sort();
}

/** A free port that is none of `used`. */
export async function distinctPort(used: readonly number[]): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (!used.includes(port)) return port;
  }
}
