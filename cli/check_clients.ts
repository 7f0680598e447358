import { Prng } from "../src/base/prng.ts";
import { Recorder } from "../test/checker/recorder.ts";
import {
  outcomeOf,
  readOf,
  type Request,
  storedKeys,
  UNKNOWN,
  Workload,
} from "../test/checker/workload.ts";
import { callWithin, Connections, type Endpoint } from "./check_endpoint.ts";
import { AnswerError } from "./cluster_client.ts";
import { ConnectionError, type RespClient } from "./resp_client.ts";

export interface CheckClientsOptions {
  /** Where the store is; may change meanwhile. */
  readonly endpoints: () => readonly Endpoint[];
  readonly clients: number;
  /** Commands that a client has under way at a time. */
  readonly depth: number;
  readonly seed: number;
  /** What all keys begin with. */
  readonly prefix: string;
  readonly lists: boolean;
  /** No reply for so long: the outcome counts as unknown. */
  readonly timeoutMs: number;
  /** At least this long between two commands of one lane; 0: as fast as they are answered. */
  readonly pauseMs?: number;
  readonly onDone?: (isRead: boolean) => void;
}

/** A write of so many bytes, now and then, keeps replicas busy: one that lags then shows it. */
const BALLAST_BYTES = 128 * 1024;
const BALLAST_ONE_IN = 200;
/** Of the writes that were acknowledged, those that are read back at once elsewhere. */
const READ_BACK_ONE_IN = 3;
const RETRY_MS = 20;
/** For so long no key can be read at the end: the others are given up. */
const FINAL_READ_MS = 10_000;
const FINAL_LANES = 16;

/** Clients of a store: they send commands to all its addresses and record what comes of them. */
export class CheckClients {
  readonly recorder = new Recorder();
  /** Errors that the store should not give, the first few. */
  readonly complaints: string[] = [];
  readonly #options: CheckClientsOptions;
  readonly #workload: Workload;
  readonly #random: Prng;
  readonly #ballast = "x".repeat(BALLAST_BYTES);
  #connections: Connections[] = [];
  #lanes: Promise<void>[] = [];
  #isStopping = false;

  constructor(options: CheckClientsOptions) {
    this.#options = options;
    this.#random = new Prng(options.seed);
    const { prefix, lists } = options;
    this.#workload = new Workload({ random: this.#random, prefix, lists });
  }

  /** Begins; until `stop`. */
  start(): void {
    this.#connections = Array.from({ length: this.#options.clients }, () => new Connections());
    this.#lanes = this.#connections.flatMap((connections) =>
      Array.from({ length: this.#options.depth }, () => this.#run(connections))
    );
  }

  /** Lets what is under way end. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#lanes);
  }

  /**
   * Reads every key once more, so that what was lost since shows. How many could not be read: what
   * became of them nobody knows.
   */
  async readAll(): Promise<number> {
    const requests = this.recorder.requests.map(readOf);
    let left = requests.length;
    let endMs = performance.now() + FINAL_READ_MS;
    const lane = async (i: number): Promise<void> => {
      for (let request = requests.pop(); request !== undefined; request = requests.pop()) {
        while (performance.now() < endMs) {
          if (await this.#perform(this.#connections[i % this.#connections.length], request)) {
            left--;
            endMs = performance.now() + FINAL_READ_MS;
            break;
          }
          await sleep(RETRY_MS);
        }
      }
    };
    await Promise.all(Array.from({ length: FINAL_LANES }, (_, i) => lane(i)));
    return left;
  }

  /** Removes all keys that were written, as far as the store lets it; closes the connections. */
  async close(isClean = true): Promise<void> {
    const keys = this.recorder.requests.flatMap(({ operation }) => storedKeys(operation.key));
    keys.push(this.#ballastKey);
    for (const endpoint of isClean ? this.#options.endpoints() : []) {
      const client = await this.#connections[0].to(endpoint).catch(() => undefined);
      if (client === undefined) continue;
      let reply: unknown;
      for (let i = 0; i < keys.length; i += 100) {
        reply = await callWithin(client, ["DEL", ...keys.slice(i, i + 100)], 2000);
        if (typeof reply !== "number") break;
      }
      if (typeof reply === "number") break;
    }
    for (const connections of this.#connections) connections.close();
  }

  get #ballastKey(): string {
    return `${this.#options.prefix}ballast`;
  }

  async #run(connections: Connections): Promise<void> {
    const { pauseMs = 0 } = this.#options;
    while (!this.#isStopping) {
      const request = this.#workload.next();
      const isDone = await this.#perform(connections, request);
      if (isDone && !request.isRead && this.#random.below(READ_BACK_ONE_IN) === 0) {
        await this.#perform(connections, readOf(request));
      }
      const { key } = request.operation;
      if (!this.#workload.isInUse(key) && this.recorder.canSettle(key)) {
        await this.#perform(connections, readOf(request));
        this.recorder.settle(key);
      }
      if (!isDone) await sleep(RETRY_MS);
      else if (pauseMs > 0) await sleep(pauseMs);
    }
  }

  /** Sends it somewhere; whether it was done. */
  async #perform(connections: Connections, request: Request): Promise<boolean> {
    const usable = this.#options.endpoints().filter((each) => each.isUsable(request.isRead));
    if (usable.length === 0) return false;
    const endpoint = usable[this.#random.below(usable.length)];
    endpoint.inUse++;
    try {
      const client = await connections.to(endpoint);
      return await this.#send(client, endpoint, request);
    } catch (error) {
      if (!(error instanceof ConnectionError || error instanceof AnswerError)) throw error;
      if (error instanceof AnswerError) this.#complain(error.message);
      endpoint.markSilent();
      return false;
    } finally {
      endpoint.inUse--;
    }
  }

  async #send(client: RespClient, endpoint: Endpoint, request: Request): Promise<boolean> {
    const { timeoutMs } = this.#options;
    if (!client.open) return false;
    if (!request.isRead && this.#random.below(BALLAST_ONE_IN) === 0) {
      void callWithin(client, ["SET", this.#ballastKey, this.#ballast], timeoutMs);
    }
    const call = this.recorder.call(request, endpoint.name);
    const reply = await callWithin(client, request.argv, timeoutMs);
    const outcome = reply === undefined ? UNKNOWN : outcomeOf(request, reply);
    call.end(outcome);
    if (reply === undefined) endpoint.markSilent();
    else endpoint.markAnswered();
    if (client.malformed !== undefined) this.#complain(client.malformed);
    if (outcome.kind === "done") {
      this.#options.onDone?.(request.isRead);
      return true;
    }
    if (outcome.kind === "not done" && outcome.isReadOnly) endpoint.markReadOnly();
    if (outcome.kind === "unknown" && outcome.text !== undefined) {
      this.#complain(`${request.argv.join(" ")}: ${outcome.text}`);
    }
    return false;
  }

  #complain(text: string): void {
    if (this.complaints.length < 10) this.complaints.push(text);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, milliseconds));
}
