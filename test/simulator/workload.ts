import type { Bytes } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";
import type { Session } from "../../src/server/session.ts";
import { endOf, type Position, tokenOf, type Version, versionAt } from "./reference.ts";
import type { Truth } from "./truth.ts";

/** One request of a client. */
export interface Operation {
  readonly argv: readonly Bytes[];
  readonly db: number;
  readonly token: string;
  readonly consistency: Session["consistency"];
  /** Everything up to this place was known to somebody when it was sent. */
  floor: Position;
}

const NOT_DONE = /^-(MISCONF|BUSY|CLUSTERDOWN|SHUTDOWN|LOADING)/;
const UNKNOWN = /^-UNKNOWN/;

/** What the clients ask for, and whether what they are told can be true. */
export class Workload {
  readonly counts = { operations: 0, acknowledged: 0, unknown: 0, refused: 0, reads: 0, stale: 0 };
  readonly #truth: Truth;
  readonly #random: Prng;
  readonly #valueBytesMax: number;
  #next = 1;
  /** The last place whose effect somebody has been told of. */
  #known: Position = 0;

  constructor(truth: Truth, random: Prng, valueBytesMax: number) {
    this.#truth = truth;
    this.#random = random;
    this.#valueBytesMax = valueBytesMax;
  }

  next(db: number, consistency: Session["consistency"]): Operation {
    const token = `t${this.#next++}`;
    const argv = this.#random.next() < 0.45 ? this.#read() : this.#write(token, db);
    return { argv, db, token, consistency, floor: 0 };
  }

  /** A write that always succeeds. */
  probe(): Operation {
    const token = `t${this.#next++}`;
    return { argv: ["SET", "r0", token], db: 0, token, consistency: "linearizable", floor: 0 };
  }

  /** Of few keys, so that a read that comes from the past is seen to. */
  hunted(kind: "read" | "write", consistency: Session["consistency"]): Operation {
    const token = `t${this.#next++}`;
    const key = `r${this.#random.below(2)}`;
    const argv = kind === "read" ? ["GET", key] : ["SET", key, token];
    return { argv, db: 0, token, consistency, floor: 0 };
  }

  invoked(operation: Operation): void {
    operation.floor = this.#known;
    this.counts.operations++;
  }

  /** Checks a reply; returns the first place that it may stem from. */
  answered(operation: Operation, reply: string, staleFloor: number): number {
    const { counts } = this;
    const isRead = operation.argv[0] === "GET" || operation.argv[0] === "MGET";
    if (UNKNOWN.test(reply)) {
      counts.unknown++;
      return 0;
    }
    if (NOT_DONE.test(reply)) {
      counts.refused++;
      if (!isRead) this.#truth.reference.neverDone(operation.token);
      return 0;
    }
    if (isRead) return this.#checkRead(operation, reply, staleFloor);
    counts.acknowledged++;
    return this.#checkWrite(operation, reply);
  }

  #checkWrite({ argv, floor, token }: Operation, reply: string): number {
    const named = tokenOf(argv, reply) === undefined
      ? undefined
      : argv[0] === "INCR"
      ? tokenOf(argv, reply)
      : token;
    // RENAME and FLUSHDB carry no name of their own: the state that they leave is compared.
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
    const keys = argv.slice(1);
    const histories = keys.map((key) => this.#truth.reference.versions(db, key));
    const found = this.#firstMatch(histories, reply, from, argv[0] === "MGET", isStale);
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
    isMany: boolean,
    isStale: boolean,
  ): Position | undefined {
    const starts = new Set([from]);
    for (const versions of histories) {
      for (let i = versions.length - 1; i >= 0 && versions[i].at > from; i--) {
        starts.add(versions[i].at);
      }
    }
    for (const at of [...starts].sort((a, b) => a - b)) {
      if (at > endOf(this.#truth.commit)) break;
      const texts = histories.map((versions) => valueText(versions, at));
      const expected = isMany ? `[${texts.join()}]` : texts[0];
      if (expected === reply) return at;
      // By the clock of the node a key's time may have come before the log says so.
      if (isStale && reply.includes("nil") && this.#mayHaveExpired(histories, at)) return at;
    }
    return undefined;
  }

  #mayHaveExpired(histories: readonly (readonly Version[])[], at: Position): boolean {
    return histories.some((versions) => {
      const version = versionAt(versions, at);
      return version !== undefined && version.expireAtMs !== Infinity;
    });
  }

  #read(): Bytes[] {
    const random = this.#random;
    const keys = ["r0", "r1", "r2", "r3", "v0", "v1", "c0", "c1", "l0", "l1"];
    const key = keys[random.below(keys.length)];
    return random.next() < 0.8 ? ["GET", key] : ["MGET", key, keys[random.below(keys.length)]];
  }

  #write(token: string, db: number): Bytes[] {
    const random = this.#random;
    const register = `r${random.below(4)}`;
    const long = random.next() < 0.1 ? "x".repeat(random.below(this.#valueBytesMax)) : "";
    const value = long === "" ? token : `${token}-${long}`;
    switch (random.below(14)) {
      case 0:
        return ["SET", register, value, "NX"];
      case 1:
        return ["SET", register, value, "GET"];
      case 2:
        return ["DEL", register, `x:${token}`];
      case 3:
        return ["MSET", register, token, `r${random.below(4)}`, token];
      case 4:
      case 5:
        return ["SET", `v${random.below(2)}`, value, "PX", String(1 + random.below(400))];
      case 6:
      case 7:
      case 8:
        // What is flushed would count from the start again.
        return db === 1 ? ["SET", register, value] : ["INCR", "c0"];
      case 9:
      case 10:
        return ["APPEND", `l${random.below(2)}`, `${token},`];
      case 11:
        return db === 1 && random.next() < 0.3 ? ["FLUSHDB"] : ["RENAME", register, "r0"];
      default:
        return ["SET", register, value];
    }
  }
}

function valueText(versions: readonly Version[], at: Position): string {
  const value = versionAt(versions, at)?.value;
  return value === undefined ? "nil" : `$${value}`;
}
