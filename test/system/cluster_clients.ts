import type { ClusterNode } from "./cluster_harness.ts";
import { sleep } from "./harness.ts";
import type { ModelName, Operation } from "../checker/operation.ts";
import { RespClient, RespError } from "./resp_client.ts";

/** Errors after which a command is certain not to have been carried out. */
const NOT_DONE = /^(CLUSTERDOWN|MISCONF|BUSY|SHUTDOWN|LOADING) /;
const UNKNOWN = /^UNKNOWN /;
const RECONNECT_MS = 20;

const NAMES = ["set", "get", "get", "setnx", "setget", "get", "del"] as const;
const MSET_KEYS = 4;

export interface ClientsOptions {
  readonly nodes: readonly ClusterNode[];
  readonly clientsPerNode: number;
  /** Commands that a client has under way at a time, at most. */
  readonly pipeline: number;
  readonly seed: number;
}

/** Clients that work on a few keys at all nodes, and write down what they saw. */
export class Clients {
  readonly history: Operation[] = [];
  /** Replies that no server may give. */
  readonly faults: string[] = [];
  /** Replies to writes, with the times when they came. */
  readonly acknowledgedMs: number[] = [];
  counts = { done: 0, notDone: 0, unknown: 0 };
  readonly #options: ClientsOptions;
  readonly #random: () => number;
  readonly #workers: Promise<void>[];
  /** Keys change with it, so that the history of each stays short. */
  #phase = 0;
  /** Orders calls and ends of one process exactly. */
  #time = 0;
  #values = 0;
  #stopping = false;

  constructor(options: ClientsOptions) {
    this.#options = options;
    let state = options.seed >>> 0;
    this.#random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    this.#workers = options.nodes.flatMap((node) =>
      Array.from({ length: options.clientsPerNode }, () => this.#work(node))
    );
  }

  /** From now on other keys are used. */
  nextPhase(): void {
    this.#phase++;
  }

  /** Lets what is under way end, and stops. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
  }

  /** Reads every key once more, at `node`, so that the history tells what is there at the end. */
  async readAll(node: ClusterNode): Promise<void> {
    const client = await RespClient.open(node.port);
    for (const key of new Set(this.history.map((operation) => operation.key))) {
      await this.#perform(client, { model: modelOf(key), key, name: "get" }, ["GET", key]);
    }
    client.close();
  }

  async #work(node: ClusterNode): Promise<void> {
    while (!this.#stopping) {
      let client: RespClient;
      try {
        client = await RespClient.open(node.port);
      } catch {
        await sleep(RECONNECT_MS);
        continue;
      }
      const lanes = Array.from({ length: this.#options.pipeline }, () => this.#lane(client));
      await Promise.all(lanes);
      client.close();
      await sleep(RECONNECT_MS);
    }
  }

  async #lane(client: RespClient): Promise<void> {
    while (!this.#stopping && !client.closed) {
      if (this.#random() < 0.1) await this.#mset(client);
      else await this.#one(client);
      await sleep(this.#random() * 8);
    }
  }

  async #one(client: RespClient): Promise<void> {
    const n = Math.floor(this.#random() * 6);
    if (n < 2) {
      const key = `counter:${this.#phase}:${n}`;
      const isRead = this.#random() < 0.3;
      const name = isRead ? "get" : "incr";
      return await this.#perform(client, { model: "counter", key, name }, [name, key]);
    }
    if (n === 2) {
      const key = `append:${this.#phase}`;
      const name = this.#random() < 0.5 ? "append" : "get";
      const value = name === "append" ? `${++this.#values},` : undefined;
      const argv = value === undefined ? [name, key] : [name, key, value];
      return await this.#perform(client, { model: "append", key, name, value }, argv);
    }
    const key = `key:${this.#phase}:${n}`;
    const name = NAMES[Math.floor(this.#random() * NAMES.length)];
    const value = String(++this.#values);
    const argv = name === "get" || name === "del"
      ? [name, key]
      : name === "setget"
      ? ["SET", key, value, "GET"]
      : [name, key, value];
    await this.#perform(client, { model: "register", key, name, value }, argv);
  }

  /** Writes, or reads, a few keys at once: all must be there or none. */
  async #mset(client: RespClient): Promise<void> {
    const keys = Array.from({ length: MSET_KEYS }, (_, i) => `mset:${this.#phase}:${i}`);
    if (this.#random() < 0.5) {
      const value = String(++this.#values);
      await this.#command(client, ["MSET", ...keys.flatMap((key) => [key, value])]);
      return;
    }
    const values = await this.#command(client, ["MGET", ...keys]);
    if (Array.isArray(values) && new Set(values).size !== 1) {
      this.faults.push(`MSET seen in part: ${JSON.stringify(values)}`);
    }
  }

  async #perform(
    client: RespClient,
    what: Pick<Operation, "model" | "key" | "name" | "value">,
    argv: readonly string[],
  ): Promise<void> {
    const call = ++this.#time;
    const result = await this.#command(client, argv);
    const end = ++this.#time;
    if (result === NEVER) return;
    if (result === undefined || result === null || typeof result === "string") {
      this.history.push({ ...what, result, call, end });
    } else if (typeof result === "number") {
      this.history.push({ ...what, result, call, end });
    } else this.faults.push(`${argv.join(" ")}: ${String(result)}`);
  }

  /** The reply; NEVER when it was not done, undefined when nobody knows. */
  async #command(client: RespClient, argv: readonly string[]) {
    try {
      const reply = await client.command(...argv);
      if (reply instanceof RespError) {
        if (NOT_DONE.test(reply.text)) {
          this.counts.notDone++;
          return NEVER;
        }
        if (!UNKNOWN.test(reply.text)) this.faults.push(`${argv.join(" ")}: ${reply.text}`);
        this.counts.unknown++;
        return undefined;
      }
      this.counts.done++;
      if (!/^m?get$/i.test(argv[0])) this.acknowledgedMs.push(performance.now());
      return reply;
    } catch {
      this.counts.unknown++;
      return undefined;
    }
  }
}

const NEVER = Symbol("not done");

function modelOf(key: string): ModelName {
  return key.startsWith("counter") ? "counter" : key.startsWith("append") ? "append" : "register";
}
