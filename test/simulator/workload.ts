import type { Bytes } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";
import type { NodeId } from "../../src/raft/types.ts";
import type { Session } from "../../src/server/session.ts";
import type { WatchedKey } from "../../src/server/watches.ts";
import { endOf, justBefore, type Position, tokenOf, type Version, versionAt } from "./reference.ts";
import { FREE_DBS } from "./free_truth.ts";
import { readAll } from "./reference_collections.ts";
import { waitName } from "./reference_waiters.ts";
import type { Truth } from "./truth.ts";
import {
  briefWords,
  chanceSequence,
  idempotentWords,
  readWords,
  replicaWords,
  transactionReads,
  transactionWords,
  WAITED_KEY,
  waitedKey,
  waitWords,
  watchWords,
  writeWords,
} from "./workload_commands.ts";
import { drawFocus, freeTransaction, freeWords } from "./workload_free.ts";

/** One request of a client. */
export interface Operation {
  readonly argv: readonly Bytes[];
  readonly db: number;
  readonly token: string;
  readonly consistency: Session["consistency"];
  /** Everything up to this place was known to somebody when it was sent. */
  floor: Position;
  /** What its node had applied when it took it. */
  takenAt: number;
  /** A part of a transaction, whose EXEC tells what became of it. */
  readonly isPart?: boolean;
  /** What is read within it before it writes, if it does. */
  readonly reads?: readonly Bytes[];
}

/** `fill` writes to the database that `empty` empties. */
export type HuntedKind = "read" | "write" | "replicas" | "fill" | "empty";

const NOT_DONE = /^-(MISCONF|BUSY|CLUSTERDOWN|SHUTDOWN|LOADING|EXECABORT)/;
const READS = /^(GET|MGET|LRANGE|HGETALL|SMEMBERS|ZRANGE|SRANDMEMBER)$/;
const UNKNOWN = /^-UNKNOWN/;

/** What the clients ask for, and whether what they are told can be true. */
export class Workload {
  readonly counts = { operations: 0, acknowledged: 0, unknown: 0, refused: 0, reads: 0, stale: 0 };
  readonly #truth: Truth;
  readonly #random: Prng;
  readonly #valueBytesMax: number;
  readonly #focus: string;
  #next = 1;
  /** Requests with idempotency keys, to be sent again. */
  readonly #sentOnce: (Operation | undefined)[] = [];
  /** The last place whose effect somebody has been told of. */
  #known: Position = 0;

  constructor(truth: Truth, random: Prng, valueBytesMax: number) {
    this.#truth = truth;
    this.#random = random;
    this.#valueBytesMax = valueBytesMax;
    this.#focus = drawFocus(random);
  }

  /** One request, or those of a transaction. */
  next(db: number, consistency: Session["consistency"]): Operation[] {
    const random = this.#random;
    if (FREE_DBS.includes(db)) {
      const of = (argv: readonly Bytes[]) => this.#operation(argv, db, "", consistency);
      if (random.next() < 0.06) {
        return freeTransaction(random, db, this.#focus).map(of)
          .map((each) => ({ ...each, isPart: each.argv[0] !== "EXEC" }));
      }
      return [of(freeWords(random, db, this.#focus))];
    }
    const chance = random.next();
    if (chance < 0.44) return [this.#operation(readWords(random), db, "", consistency)];
    if (chance < 0.45) return [this.#operation(replicaWords(random), db, "", consistency)];
    const token = `t${this.#next++}`;
    if (chance < 0.465 && db === 0) {
      return chanceSequence(token).map((argv) => this.#operation(argv, db, token, consistency));
    }
    if (chance < 0.5 && db === 0) return this.#transaction(token, consistency);
    if (chance < 0.57 && db === 0) return [this.#once(token, consistency)];
    if (chance < 0.53) return [this.#operation(briefWords(random, token), db, token, consistency)];
    const argv = writeWords(random, token, db, this.#valueBytesMax);
    return [this.#operation(argv, db, token, consistency)];
  }

  #operation(
    argv: readonly Bytes[],
    db: number,
    token: string,
    consistency: Session["consistency"],
  ): Operation {
    return { argv, db, token, consistency, floor: 0, takenAt: 0 };
  }

  #transaction(token: string, consistency: Session["consistency"]): Operation[] {
    const watch: Bytes[][] = [];
    while (watch.length < 3 && this.#random.next() < 0.4) watch.push(watchWords(this.#random));
    const isUnwatched = watch.length > 0 && this.#random.next() < 0.1;
    if (isUnwatched) watch.push(["UNWATCH"]);
    const reads = transactionReads(this.#random);
    const writes = reads.length > 1 ? [] : transactionWords(this.#random, token);
    const words = [...watch, ["MULTI"], ...reads.map((key) => ["GET", key]), ...writes];
    const parts = words.map((argv) => ({
      ...this.#operation(argv, 0, token, consistency),
      isPart: true,
    }));
    if (this.#random.next() < 0.1) {
      return [...parts, this.#operation(["DISCARD"], 0, token, consistency)];
    }
    return [...parts, { ...this.#operation(["EXEC"], 0, token, consistency), reads }];
  }

  /** One with an idempotency key, new or sent again. */
  #once(token: string, consistency: Session["consistency"]): Operation {
    const random = this.#random;
    const again = this.#sentOnce[random.below(8)];
    if (again !== undefined && random.next() < 0.6) return { ...again, consistency };
    const operation = this.#operation(idempotentWords(random, token), 0, token, consistency);
    if (!operation.argv[1].startsWith("brief")) this.#sentOnce[random.below(8)] = operation;
    return operation;
  }

  /** A write that always succeeds; with `lifeMs` of a key that expires. */
  probe(lifeMs?: number): Operation {
    const token = `t${this.#next++}`;
    const words = lifeMs === undefined ? ["r0", token] : ["v0", token, "PX", String(lifeMs)];
    return this.#operation(["SET", ...words], 0, token, "linearizable");
  }

  /** Of few keys, so that a read that comes from the past is seen to. */
  hunted(kind: HuntedKind, consistency: Session["consistency"]): Operation {
    const token = `t${this.#next++}`;
    const key = `r${this.#random.below(2)}`;
    const words = {
      read: ["GET", key],
      write: ["SET", key, token],
      replicas: ["WAIT", "9", "100"],
      fill: ["SET", key, token],
      empty: ["FLUSHDB"],
    };
    const db = kind === "fill" || kind === "empty" ? 1 : 0;
    return this.#operation(words[kind], db, token, consistency);
  }

  /** A watch, what changes and undoes it again, and a transaction. */
  comeAndGone(): { watch: Operation; changes: Operation[]; transaction: Operation[] } {
    const [first, second] = [`t${this.#next++}`, `t${this.#next++}`];
    const key = `w${first.slice(1)}`;
    const of = (argv: readonly Bytes[], token: string) =>
      this.#operation(argv, 0, token, "linearizable");
    const part = (argv: readonly Bytes[]) => ({ ...of(argv, second), isPart: true });
    return {
      watch: part(["WATCH", key]),
      changes: [of(["SET", key, first], first), of(["DEL", key], "")],
      transaction: [part(["MULTI"]), part(["SET", "r0", second]), of(["EXEC"], second)],
    };
  }

  /** One that is carried out again when so much time has gone by. */
  repeated(lifeMs: number): Operation {
    const name = `brief-n${this.#next++}`;
    const argv = ["IDEMPOTENT", name, String(lifeMs), "APPEND", "l1", "b,"];
    return this.#operation(argv, 0, "", "linearizable");
  }

  /** A pop that waits where many do, or what one of them gets. */
  waited(kind: "wait" | "push", longShare = 0.4): Operation {
    const token = `t${this.#next++}`;
    const argv = kind === "push"
      ? ["RPUSH", waitedKey(this.#random), token]
      : waitWords(this.#random, token, WAITED_KEY, longShare);
    return { argv, db: 0, token, consistency: "linearizable", floor: 0, takenAt: 0 };
  }

  invoked(operation: Operation): void {
    operation.floor = this.#known;
    this.counts.operations++;
  }

  /** A client watches a key, as it was at a place: that is not in its past. */
  watches({ floor, consistency }: Operation, { db, key, version }: WatchedKey, at: Position): void {
    const { reference } = this.#truth;
    reference.watches(db, key, version, at);
    if (consistency === "stale") return;
    const missed = reference.versions(db, key).find((each) => each.at > at && each.at <= floor);
    if (missed === undefined) return;
    const what = `${key} is watched as of ${at}; it changed at ${missed.at}, before ${floor}`;
    this.#truth.violate(`linearizable (${consistency})`, what);
  }

  /** An EXEC did nothing: one of the keys that are watched has changed since. */
  mustHaveChanged({ db, token }: Operation, held: ReadonlyMap<Bytes, Position>): void {
    const { reference } = this.#truth;
    for (const [key, since] of held) {
      if (reference.versions(db, key).some(({ at }) => at > since)) return;
    }
    const what = `that of ${token} did nothing, and nothing has changed of ${[...held.keys()]}`;
    this.#truth.violate("EXEC does what it can", what);
  }

  /** An EXEC was carried out: its node had seen no change of what is watched, come and gone either. */
  mustBeUnchanged({ db, token, takenAt }: Operation, held: ReadonlyMap<Bytes, Position>): void {
    for (const [key, since] of held) {
      const changes = this.#truth.reference.versions(db, key);
      // What was due already as it was watched was not there, and does not change by being gone.
      const mayBeDue = (i: number) =>
        changes[i].value === undefined && Number.isFinite(changes[i - 1]?.expireAtMs);
      const seen = changes.find(({ at }, i) => at > since && at <= endOf(takenAt) && !mayBeDue(i));
      if (seen === undefined) continue;
      const what = `that of ${token} is carried out, and ${key} had changed at ${seen.at}`;
      this.#truth.violate("EXEC does nothing behind a change", what);
    }
  }

  /** A node says how many others hold what it has applied, as WAIT does. */
  holds(node: NodeId, index: number, reply: string): void {
    const count = Number(reply.slice(1));
    const holders = this.#truth.holders(index, node);
    if (index === 0 || count <= holders) return;
    const what = `node ${node} says ${count} others hold ${index}, which ${holders} do`;
    this.#truth.violate("WAIT counts those that hold it", what);
  }

  /** Checks a reply; returns the first place that it may stem from. */
  answered(operation: Operation, reply: string, staleFloor: number): number {
    const { counts } = this;
    if (operation.isPart || FREE_DBS.includes(operation.db)) return 0;
    const isRead = READS.test(operation.argv[0]);
    const isOnce = operation.argv[0] === "IDEMPOTENT";
    if (operation.argv[0] === "WAIT") return 0;
    if (operation.argv[0] === "DISCARD") {
      this.#truth.reference.neverDone(operation.token);
      return 0;
    }
    if (UNKNOWN.test(reply)) {
      counts.unknown++;
      return 0;
    }
    const isWait = operation.argv[0] === "BLPOP";
    if (NOT_DONE.test(reply) || isWait && reply === "nil") {
      counts.refused++;
      const name = isWait ? waitName(operation.argv) : operation.token;
      if (!isRead && !isOnce) this.#truth.reference.neverDone(name);
      return 0;
    }
    if (operation.argv[0] === "SRANDMEMBER") return 0;
    if (isRead) return this.#checkRead(operation, reply, staleFloor);
    if (operation.argv[0] === "EXEC" && reply === "nil") {
      // Something watched has changed.
      this.#truth.reference.neverDone(operation.token);
      return 0;
    }
    const { reads = [] } = operation;
    if (reads.length > 1) {
      return this.#checkRead({ ...operation, argv: ["MGET", ...reads] }, reply, staleFloor);
    }
    counts.acknowledged++;
    if (isOnce) return this.#checkOnce(operation, reply);
    if (reads.length === 0) return this.#checkWrite(operation, reply);
    const [read, ...written] = reply.slice(1, -1).split(",");
    const at = this.#checkWrite(operation, `[${written.join()}]`);
    const before = valueText(
      this.#truth.reference.versions(operation.db, reads[0]),
      justBefore(at),
    );
    if (at > 0 && read !== before) {
      const what = `${operation.token} reads ${read} of ${reads[0]} at ${at}, where ${before} was`;
      this.#truth.violate("EXEC is one step", what);
    }
    return at;
  }

  /** Whenever it was carried out: it is answered now, as one behind what was known. */
  #checkOnce({ argv, floor }: Operation, reply: string): number {
    const answers = this.#truth.reference.once.get(argv[1]) ?? [];
    const found = answers.find((each) => each.at > floor && each.reply === reply);
    if (found === undefined || found.at > endOf(this.#truth.commit)) {
      const what = `${argv.join(" ")} was answered ${reply}, and by the log ` +
        `${answers.map(({ at, reply }) => `${reply} at ${at}`)}, sent after ${floor}`;
      this.#truth.violate("the reply is that of the log", what);
      return 0;
    }
    this.#known = Math.max(this.#known, found.at);
    return found.at;
  }

  #checkWrite({ argv, floor, token }: Operation, reply: string): number {
    const name = argv[0] === "BLPOP" ? waitName(argv) : tokenOf(argv, reply);
    // One that counts or takes away is named by its reply, any other by what it brings.
    const named = argv[0] === "EXEC" || name === token ? token : name;
    // RENAME, FLUSHDB, … carry no name of their own: the state that they leave is compared.
    if (named === undefined) return 0;
    const outcome = this.#truth.reference.outcomes.get(named);
    const what = `${argv.join(" ").slice(0, 80)} was answered ${reply.slice(0, 60)}`;
    if (outcome === undefined || outcome.at > endOf(this.#truth.commit)) {
      this.#truth.violate("no acknowledged write is lost", `${what}, and is not in the log`);
      return 0;
    }
    if (outcome.reply !== reply) {
      this.#truth.violate(
        "the reply is that of the log",
        `${what}: it is ${outcome.reply} at ${outcome.at}`,
      );
    }
    if (outcome.at <= floor) {
      this.#truth.violate("linearizable", `${what} at ${outcome.at}, sent after ${floor}`);
    }
    this.#known = Math.max(this.#known, outcome.at);
    return outcome.at;
  }

  #checkRead(operation: Operation, reply: string, staleFloor: number): number {
    const { argv, db, consistency, floor } = operation;
    const isStale = consistency === "stale";
    this.counts[isStale ? "stale" : "reads"]++;
    const from = isStale ? staleFloor : Math.max(floor, staleFloor);
    const isMany = argv[0] === "MGET";
    const keys = isMany ? argv.slice(1) : [argv[1]];
    const text = argv[0] === "GET" || isMany ? valueText : collectionReply;
    const histories = keys.map((key) => this.#truth.reference.versions(db, key));
    const found = this.#firstMatch(histories, reply, from, isStale, (at) => {
      const texts = histories.map((versions) => text(versions, at));
      return isMany ? `[${texts.join()}]` : texts[0];
    });
    if (found === undefined) {
      const invariant = isStale ? "stale reads go forward" : `linearizable (${consistency})`;
      const detail = `${argv.join(" ")} was answered ${reply.slice(0, 80)}, ` +
        `which was true at no place from ${from} to ${this.#truth.commit}`;
      this.#truth.violate(invariant, detail);
      return 0;
    }
    if (!isStale) this.#known = Math.max(this.#known, found);
    return found;
  }

  /** The first place from `from` on at which the keys have just these values. */
  #firstMatch(
    histories: readonly (readonly Version[])[],
    reply: string,
    from: Position,
    isStale: boolean,
    textAt: (at: Position) => string,
  ): Position | undefined {
    const starts = new Set([from]);
    for (const versions of histories) {
      for (let i = versions.length - 1; i >= 0 && versions[i].at > from; i--) {
        starts.add(versions[i].at);
      }
    }
    for (const at of [...starts].sort((a, b) => a - b)) {
      if (at > endOf(this.#truth.commit)) break;
      if (textAt(at) === reply) return at;
      // By the clock of the node a key's time may have come before the log says so.
      if (isStale && /nil|^\[\]$/.test(reply) && this.#mayHaveExpired(histories, at)) return at;
    }
    return undefined;
  }

  #mayHaveExpired(histories: readonly (readonly Version[])[], at: Position): boolean {
    return histories.some((versions) => {
      const version = versionAt(versions, at);
      return version !== undefined && version.expireAtMs !== Infinity;
    });
  }
}

function valueText(versions: readonly Version[], at: Position): string {
  const value = versionAt(versions, at)?.value;
  return value === undefined ? "nil" : `$${value}`;
}

function collectionReply(versions: readonly Version[], at: Position): string {
  return readAll(versionAt(versions, at)?.value);
}
