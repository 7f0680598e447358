import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { join } from "node:path";
import * as v from "valibot";
import { type Clock, sleep } from "../base/clock.ts";
import { drawRun, type Entropy, randomHex } from "../base/entropy.ts";
import type { Logger } from "../base/log.ts";
import type { Configuration } from "../raft/types.ts";
import type { NodeStorage } from "../server/node_storage.ts";
import { writeFileDurably } from "../storage/files.ts";
import type { PeerRequests } from "./peer_requests.ts";

const hex32 = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
const address = v.pipe(v.string(), v.maxLength(300));
const FounderSchema = v.strictObject({ bootId: hex32, address });
const RecordSchema = v.strictObject({
  bootId: hex32,
  /** Who founded the cluster, by boot id; null before. */
  roster: v.nullable(v.array(FounderSchema)),
});
const ConfigurationSchema = v.strictObject({
  voters: v.array(v.number()),
  votersOutgoing: v.array(v.number()),
  learners: v.array(v.number()),
  learnersNext: v.array(v.number()),
  addresses: v.record(v.string(), address),
});

/** What a node answers when it is asked where it stands. */
export const StandingSchema = v.variant("state", [
  v.strictObject({
    state: v.literal("fresh"),
    bootId: hex32,
    address,
    /** The boot ids it has seen, its own included, sorted; of the founding it is told to expect. */
    seen: v.array(hex32),
    plan: v.string(),
  }),
  v.strictObject({
    state: v.literal("member"),
    clusterId: hex32,
    roster: v.nullable(v.array(FounderSchema)),
  }),
]);
export type Standing = v.InferOutput<typeof StandingSchema>;

/** The answer to a request to join. */
export const AdmissionSchema = v.variant("ok", [
  v.strictObject({
    ok: v.literal(true),
    id: v.number(),
    clusterId: hex32,
    configuration: ConfigurationSchema,
  }),
  v.strictObject({ ok: v.literal(false), error: v.string() }),
]);

type Founder = v.InferOutput<typeof FounderSchema>;
type Record_ = v.InferOutput<typeof RecordSchema>;

const RECORD_FILE = "founding.json";
const RETRY_MS = 250;
/** Whoever waits for the cluster is told why, first soon and then now and again. */
const FIRST_NOTICE_MS = 3_000;
const NOTICE_MS = 30_000;

export interface FoundingOptions {
  readonly storage: NodeStorage;
  readonly requests: PeerRequests;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly logger: Logger;
  /** Where peers reach this node. */
  readonly address: string;
  readonly join: readonly string[];
  readonly bootstrapExpect: number;
}

/**
 * How a node without an identity gets one: alone, by joining a cluster, or by founding one with
 * others. Identity is given once and lives in the data directory. See README.md.
 */
export class Founding {
  readonly #options: FoundingOptions;
  /** Of this process alone: an id is for one that has not run under it. */
  #nonce: string | undefined;
  #record: Record_;
  #seen = new Map<string, Founder>();
  /** By target: what keeps this node from it. */
  readonly #hindrances = new Map<string, string>();
  #stopped = false;

  constructor(options: FoundingOptions) {
    this.#options = options;
    this.#record = this.#readRecord();
    this.#seen.set(this.#record.bootId, { bootId: this.#record.bootId, address: options.address });
  }

  /** What this node answers to others that ask. */
  standing(): Standing {
    const { log } = this.#options.storage;
    if (log.identity !== undefined) {
      return {
        state: "member",
        clusterId: log.identity.clusterId,
        roster: this.#record.roster,
      };
    }
    return {
      state: "fresh",
      bootId: this.#record.bootId,
      address: this.#options.address,
      seen: [...this.#seen.keys()].sort(),
      plan: this.#plan(),
    };
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when the node has an identity. */
  async run(): Promise<void> {
    const { storage, join: targets, logger, clock } = this.#options;
    if (storage.log.identity !== undefined) return;
    if (targets.length === 0) return this.#found([...this.#seen.values()]);
    logger.info("looking for the cluster", { join: targets.join(",") });
    let noticeAtMs = clock.monotonicMs() + FIRST_NOTICE_MS;
    while (!this.#stopped) {
      if (await this.#round()) return;
      if (clock.monotonicMs() >= noticeAtMs) {
        noticeAtMs = clock.monotonicMs() + NOTICE_MS;
        const found = [...this.#hindrances].map(([target, why]) => `${target}: ${why}`);
        logger.warn("still looking for the cluster", { found: found.join("; ") });
      }
      await sleep(clock, RETRY_MS);
    }
  }

  /** Asks everyone once; true when this node has got an identity. */
  async #round(): Promise<boolean> {
    const answers = await Promise.all(
      this.#options.join.map((target) => this.#ask(target)),
    );
    for (const [i, standing] of answers.entries()) {
      if (standing?.state !== "member") continue;
      const mine = standing.roster?.some(({ bootId }) => bootId === this.#record.bootId);
      if (mine === true && standing.roster !== null) this.#found(standing.roster);
      else if (!(await this.#join(this.#options.join[i]))) continue;
      return true;
    }
    return this.#foundTogether(answers);
  }

  async #ask(target: string): Promise<Standing | undefined> {
    const answer = await this.#options.requests.ask(
      target,
      { kind: "standing" },
      (reason) => this.#hindrances.set(target, reason),
    );
    const parsed = v.safeParse(StandingSchema, answer);
    if (!parsed.success) return undefined;
    this.#hindrances.set(target, hindranceOf(parsed.output, this.#record.bootId));
    return parsed.output;
  }

  async #join(target: string): Promise<boolean> {
    const { requests, address, entropy, logger } = this.#options;
    this.#nonce ??= randomHex(entropy, 16);
    const answer = await requests.ask(target, { kind: "join", address, nonce: this.#nonce });
    const parsed = v.safeParse(AdmissionSchema, answer);
    if (!parsed.success || !parsed.output.ok) {
      const error = parsed.success && !parsed.output.ok ? parsed.output.error : "no answer";
      logger.warn("not admitted yet", { target, error });
      return false;
    }
    const { id, clusterId, configuration } = parsed.output;
    const { learners, addresses } = configuration;
    this.#settle(clusterId, id, {
      ...configuration,
      learners: [...learners.filter((each) => each !== id), id],
      addresses: { ...addresses, [id]: address },
    });
    logger.info("joined as a learner", { cluster: clusterId, node: id });
    return true;
  }

  /**
   * True when all that are expected have seen the same fresh nodes: each then founds the same
   * cluster by itself. Two different rosters cannot both have a majority, as a node is in one.
   */
  #foundTogether(answers: readonly (Standing | undefined)[]): boolean {
    const { bootstrapExpect: expected, address, logger } = this.#options;
    if (expected === 0) return false;
    const seen = new Map([[this.#record.bootId, { bootId: this.#record.bootId, address }]]);
    const opinions: string[] = [];
    for (const standing of answers) {
      if (standing?.state !== "fresh") continue;
      if (standing.plan !== this.#plan()) {
        logger.warn(
          "a node expects another founding: give each the same --join and the same " +
            "--bootstrap-expect",
          { node: standing.address },
        );
        continue;
      }
      seen.set(standing.bootId, { bootId: standing.bootId, address: standing.address });
      opinions.push(standing.seen.join());
    }
    this.#seen = seen;
    const own = [...seen.keys()].sort().join();
    if (seen.size !== expected || opinions.length < expected) {
      // A node that is in its own list answers itself; otherwise count this node's opinion.
      if (seen.size !== expected || opinions.length < expected - 1) return false;
    }
    if (opinions.some((opinion) => opinion !== own)) return false;
    this.#found([...seen.values()]);
    return true;
  }

  #found(founders: readonly Founder[]): void {
    const roster = [...founders].sort((a, b) => a.bootId < b.bootId ? -1 : 1);
    const ids = roster.map((_, i) => i + 1);
    const names = roster.map(({ bootId }) => bootId).join();
    const clusterId = createHash("sha256").update(names).digest("hex").slice(0, 32);
    this.#record = { ...this.#record, roster };
    this.#writeRecord();
    const nodeId = roster.findIndex(({ bootId }) => bootId === this.#record.bootId) + 1;
    this.#settle(clusterId, nodeId, {
      voters: ids,
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      addresses: Object.fromEntries(roster.map((founder, i) => [i + 1, founder.address])),
    });
    this.#options.logger.info("cluster founded", {
      cluster: clusterId,
      node: nodeId,
      nodes: roster.length,
    });
  }

  #settle(clusterId: string, nodeId: number, configuration: Configuration): void {
    const { log } = this.#options.storage;
    log.reset({ index: 0, term: 0, configuration });
    log.setIdentity({ clusterId, nodeId, incarnation: 1, runs: [drawRun(this.#options.entropy)] });
  }

  /** What must be equal on all that found a cluster together. */
  #plan(): string {
    return `${this.#options.bootstrapExpect}:${[...this.#options.join].sort().join()}`;
  }

  #readRecord(): Record_ {
    const { storage, entropy } = this.#options;
    const path = join(storage.directory.path, RECORD_FILE);
    const text = storage.disk.readText(path);
    if (text !== undefined) {
      try {
        return v.parse(RecordSchema, JSON.parse(text));
      } catch (error) {
        throw new Error(`Cannot read ${path}: it is damaged`, { cause: error });
      }
    }
    this.#record = { bootId: randomHex(entropy, 16), roster: null };
    this.#writeRecord();
    return this.#record;
  }

  #writeRecord(): void {
    const { directory, disk } = this.#options.storage;
    const text = JSON.stringify(this.#record) + "\n";
    writeFileDurably(disk, join(directory.path, RECORD_FILE), Buffer.from(text));
  }
}

function hindranceOf(standing: Standing, ownBootId: string): string {
  if (standing.state === "member") return "it has not admitted this node yet";
  return standing.bootId === ownBootId ? "this node" : "it has no cluster either";
}
