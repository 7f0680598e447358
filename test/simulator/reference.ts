import { Buffer } from "node:buffer";
import type { Bytes } from "../../src/base/bytes.ts";
import { decodeConfiguration, memberIds } from "../../src/raft/membership.ts";
import type { Entry } from "../../src/raft/types.ts";
import { decodeArguments, decodeBatch } from "../../src/server/batch.ts";
import { PIECE_NAME } from "../../src/server/pieces.ts";
import { FREE_DBS } from "./free_truth.ts";
import { change, elementsOf } from "./reference_collections.ts";
import { changeKey, type ReferenceKeys } from "./reference_keys.ts";
import { calledBy } from "./workload_commands.ts";
import { type Origin, ReferenceWaiters, type Waiter, waitName } from "./reference_waiters.ts";

/**
 * A place in the order of all commands: the index of the entry, and behind the point the command's
 * place in it.
 */
export type Position = number;

/** Commands of one entry, at most. */
export const COMMANDS_MAX = 2 ** 16;

/** What a command did, by the log alone. */
export interface Outcome {
  readonly at: Position;
  /** As `replyText` writes it. */
  readonly reply: string;
}

/** The value of a key from `at` on; undefined: it is not there. */
export interface Version {
  readonly at: Position;
  readonly value: Bytes | undefined;
  readonly expireAtMs: number;
}

interface Seen {
  incarnation: number;
  sequence: number;
  /** The pieces of a command that came so far. */
  pieces: Bytes;
}

/** What was answered to a command with an idempotency key. */
interface Remembered {
  readonly command: string;
  readonly reply: string;
  readonly dueAtMs: number;
}

const OTHER_COMMAND = "-ERR this idempotency key was used with another command";
/** A token is a word of its own in a command: which tells one from all others. */
const TOKEN = /(?:^|\W)(t\d+)(?!\d)/;
const NO_EXPIRY = Infinity;
const NO_KEYS: ReadonlySet<string> = new Set();

/**
 * What the committed log means, told by another program than the one that is tested: few commands,
 * plain Maps, every version kept.
 */
export class Reference {
  readonly outcomes = new Map<string, Outcome>();
  /** Idempotency key -> what each request with it is answered. */
  readonly once = new Map<Bytes, Outcome[]>();
  readonly #versions = new Map<string, Version[]>();
  readonly #expiring = new Map<string, number>();
  readonly #taken = new Set<number>();
  readonly #seen = new Map<number, Seen>();
  readonly #waiters = new ReferenceWaiters();
  /** Index -> the keys that its entry may have changed: those that it has not are as they were. */
  readonly #changed = new Map<number, Set<string>>();
  /** "db/key version" -> what a client found there that watches the key. */
  readonly #watched = new Map<string, Version>();
  /** Idempotency key -> what was answered, and until when. */
  readonly #remembered = new Map<Bytes, Remembered>();
  /** Tokens that were answered as not done. */
  readonly #never = new Set<string>();
  readonly #violate: (invariant: string, detail: string) => void;
  #at: Position = 0;
  #logTimeMs = 0;
  readonly #keys: ReferenceKeys;

  constructor(violate: (invariant: string, detail: string) => void) {
    this.#violate = violate;
    const logTimeMs = () => this.#logTimeMs;
    this.#keys = {
      get logTimeMs() {
        return logTimeMs();
      },
      get: (key) => this.#get(key),
      expiryOf: (key) => this.#expiring.get(key),
      put: (key, value, expireAtMs) => this.#put(key, value, expireAtMs),
    };
  }

  /** Takes on the next committed entry. */
  apply(entry: Entry): void {
    this.#at = entry.index;
    if (entry.kind === "configuration") {
      this.#keepPieces(memberIds(decodeConfiguration(entry.data)));
    }
    if (entry.kind !== "normal") return;
    const { timeMs, segments } = decodeBatch(entry.data);
    this.#logTimeMs = Math.max(this.#logTimeMs, timeMs);
    for (const [key, atMs] of this.#expiring) {
      if (atMs <= this.#logTimeMs) this.#put(key, undefined);
    }
    for (const { node, incarnation, firstSequence, commands } of segments) {
      let seen = this.#seen.get(node);
      if (seen !== undefined && incarnation < seen.incarnation) continue;
      if (seen === undefined || incarnation > seen.incarnation) {
        if (seen !== undefined) seen.pieces = "";
        seen = { incarnation, sequence: 0, pieces: "" };
      }
      if (node === 0 && firstSequence !== seen.sequence + 1) {
        const what = `entry ${entry.index} has ${firstSequence} behind ${seen.sequence}`;
        this.#violate("what a leader drops is dropped", what);
      }
      if (firstSequence > seen.sequence + 1) continue;
      for (const [i, { db, argv }] of commands.entries()) {
        if (firstSequence + i <= seen.sequence) continue;
        seen.sequence = firstSequence + i;
        this.#at += 1 / COMMANDS_MAX;
        const whole = argv[0] === PIECE_NAME ? this.#assembled(seen, argv) : argv;
        if (whole.length === 0) continue;
        this.#run({ node, incarnation, sequence: firstSequence + i }, db, whole);
      }
      this.#seen.set(node, seen);
    }
  }

  /** What other nodes have sent in part will not be completed. */
  #keepPieces(members: readonly number[]): void {
    for (const [node, seen] of this.#seen) if (!members.includes(node)) seen.pieces = "";
  }

  /** The command that this piece completes, else nothing. */
  #assembled(seen: Seen, [, start, total, piece]: readonly Bytes[]): readonly Bytes[] {
    const expected = start === "0" ? 0 : seen.pieces.length;
    seen.pieces = Number(start) === expected ? seen.pieces.slice(0, expected) + (piece ?? "") : "";
    if (start === undefined || seen.pieces.length < Number(total)) return [];
    const argv = decodeArguments(Buffer.from(seen.pieces, "latin1"));
    seen.pieces = "";
    return argv;
  }

  /** A client was told that this was not done, and never will be. */
  neverDone(token: string): void {
    this.#never.add(token);
    if (this.outcomes.has(token)) this.#violate("an error tells the truth", `${token} was done`);
  }

  /** The commands that wait for data. */
  get waiting(): readonly Waiter[] {
    return this.#waiters.all;
  }

  /** The versions of a key, oldest first. */
  versions(db: number, key: Bytes): readonly Version[] {
    return this.#versions.get(`${db}/${key}`) ?? [];
  }

  /** What `changedBy` tells, to whoever asks first. */
  takeChanged(index: number): ReadonlySet<string> {
    if (this.#taken.has(index)) return NO_KEYS;
    this.#taken.add(index);
    return this.changedBy(index);
  }

  /** The keys, "db/key", that an entry has changed, or has left as they were. */
  changedBy(index: number): ReadonlySet<string> {
    return this.#changed.get(index) ?? NO_KEYS;
  }

  /** Whether a key is another behind an entry than before it. */
  differs(key: string, index: number): boolean {
    const versions = this.#versions.get(key) ?? [];
    const [before, after] = [
      versionAt(versions, endOf(index - 1)),
      versionAt(versions, endOf(index)),
    ];
    return before?.value !== after?.value ||
      after?.value !== undefined && before?.expireAtMs !== after.expireAtMs;
  }

  /** A client watches a key, which had this version (0: not there) at a place. */
  watches(db: number, key: Bytes, version: number, at: Position): void {
    const found = versionAt(this.versions(db, key), at);
    const name = `${db}/${key} ${version}`;
    const isThere = found?.value !== undefined;
    const known = this.#watched.get(name);
    const isSame = known === undefined || known === found;
    if (isThere !== (version !== 0) || !isSame) {
      this.#violate("a version names one value", `${name} is watched at ${at}`);
    } else if (found !== undefined && isThere) this.#watched.set(name, found);
  }

  /** All that is there behind an entry: "db/key" -> version. */
  behind(index: number): Map<string, Version> {
    const found = new Map<string, Version>();
    for (const [key, versions] of this.#versions) {
      const version = versionAt(versions, endOf(index));
      if (version?.value !== undefined) found.set(key, version);
    }
    return found;
  }

  #run(origin: Origin, db: number, words: readonly Bytes[]): void {
    if (FREE_DBS.includes(db)) return;
    const argv = calledBy(words);
    if (this.#waiters.run(origin, db, argv)) {
      if (argv[0] !== "\0rewait") return;
      for (const key of argv.slice(4, 4 + Number(argv[3]))) this.#serve(db, key);
      return;
    }
    if (argv[0].toLowerCase() === "blpop") return this.#popOrWait(origin, db, argv);
    if (argv[0] === "\0exec") return this.#runAll(db, argv);
    if (argv[0].toLowerCase() === "idempotent") return this.#runOnce(db, argv);
    const reply = this.#reply(db, argv);
    if (reply !== undefined) this.#note(argv, reply);
    this.#serve(db, argv[1]);
  }

  /** Notes what a command has done, under its name. */
  #note(argv: readonly Bytes[], reply: string): void {
    const token = tokenOf(argv, reply);
    if (token !== undefined) this.#noteAs(token, reply);
  }

  #noteAs(token: string, reply: string): void {
    const before = this.outcomes.get(token);
    if (before !== undefined) {
      const where = `at ${before.at} and at ${this.#at}`;
      this.#violate("no duplicate apply", `${token} is applied ${where}`);
    }
    if (this.#never.has(token)) this.#violate("an error tells the truth", `${token} is done`);
    this.outcomes.set(token, { at: this.#at, reply });
  }

  /** An EXEC: it writes when nothing watched has changed. */
  #runAll(db: number, words: readonly Bytes[]): void {
    const replies: string[] = [];
    const keys = new Set<Bytes>();
    const first = 3 + 3 * Number(words[2]);
    for (let at = 3; at < first; at += 3) {
      const versions = this.#versions.get(`${words[at]}/${words[at + 1]}`);
      const latest = versions?.[versions.length - 1];
      const isUnchanged = words[at + 2] === "0"
        ? latest?.value === undefined
        : latest === this.#watched.get(`${words[at]}/${words[at + 1]} ${words[at + 2]}`);
      if (!isUnchanged) return;
    }
    for (let at = first; at < words.length;) {
      const end = at + 2 + Number(words[at + 1]);
      const argv = words.slice(at + 2, end);
      replies.push(this.#reply(db, argv) ?? "?");
      keys.add(argv[1]);
      at = end;
    }
    this.#note(words, `[${replies.join()}]`);
    for (const key of keys) this.#serve(db, key);
  }

  /** A command that comes with an idempotency key. */
  #runOnce(db: number, [, name, ttl, ...argv]: readonly Bytes[]): void {
    const command = `${db} ${argv.join(" ")}`;
    const before = this.#remembered.get(name);
    const known = before !== undefined && before.dueAtMs > this.#logTimeMs ? before : undefined;
    const reply = known === undefined
      ? this.#reply(db, argv) ?? "?"
      : known.command === command
      ? known.reply
      : OTHER_COMMAND;
    let answers = this.once.get(name);
    if (answers === undefined) this.once.set(name, answers = []);
    answers.push({ at: this.#at, reply });
    if (known !== undefined) return;
    this.#remembered.set(name, { command, reply, dueAtMs: this.#logTimeMs + Number(ttl) });
    this.#note(argv, reply);
    this.#serve(db, argv[1]);
  }

  #popOrWait(origin: Origin, db: number, argv: readonly Bytes[]): void {
    const keys = argv.slice(1, -1);
    const key = keys.find((each) => elementsOf(this.#get(`${db}/${each}`)).length > 0);
    if (key !== undefined) this.#pop(db, key, waitName(argv));
    else this.#waiters.add(origin, db, argv);
  }

  /** Whoever waits for a list gets of it what there is. */
  #serve(db: number, key: Bytes): void {
    const list = `${db}/${key}`;
    while (this.#get(list)?.startsWith("l")) {
      const name = this.#waiters.take(list);
      if (name === undefined) return;
      this.#pop(db, key, name);
    }
  }

  #pop(db: number, key: Bytes, name: string): void {
    const reply = `[$${key},${this.#reply(db, ["LPOP", key])}]`;
    this.#note(["BLPOP", key], reply);
    this.#noteAs(name, reply);
  }

  /** Undefined for a command that changes nothing. */
  #reply(db: number, argv: readonly Bytes[]): string | undefined {
    const name = argv[0].toLowerCase();
    const key = `${db}/${argv[1]}`;
    if (name === "set") return this.#set(key, argv);
    if (name === "incr") {
      const next = Number(this.#get(key) ?? "0") + 1;
      this.#put(key, String(next), this.#expiring.get(key));
      return `:${next}`;
    }
    if (name === "append") {
      const value = (this.#get(key) ?? "") + argv[2];
      this.#put(key, value, this.#expiring.get(key));
      return `:${value.length}`;
    }
    if (name === "del") {
      let count = 0;
      for (const each of argv.slice(1)) {
        if (this.#get(`${db}/${each}`) === undefined) continue;
        this.#put(`${db}/${each}`, undefined);
        count++;
      }
      return `:${count}`;
    }
    if (name === "mset") {
      for (let i = 1; i < argv.length; i += 2) this.#put(`${db}/${argv[i]}`, argv[i + 1]);
      return "+OK";
    }
    const changed = change(this.#get(key), argv);
    if (changed !== undefined) {
      this.#put(key, changed.value, this.#expiring.get(key));
      return changed.reply;
    }
    if (name === "flushdb") {
      for (const each of this.behind(Math.floor(this.#at)).keys()) {
        if (each.startsWith(`${db}/`)) this.#put(each, undefined);
      }
      return "+OK";
    }
    return changeKey(this.#keys, db, argv);
  }

  #set(key: string, argv: readonly Bytes[]): string {
    const old = this.#get(key);
    const options = argv.slice(3).map((each) => each.toLowerCase());
    if (options.includes("nx") && old !== undefined) return "nil";
    const px = options.indexOf("px");
    const expireAtMs = px < 0 ? undefined : this.#logTimeMs + Number(options[px + 1]);
    this.#put(key, argv[2], expireAtMs);
    if (!options.includes("get")) return "+OK";
    return old === undefined ? "nil" : `$${old}`;
  }

  #get(key: string): Bytes | undefined {
    const versions = this.#versions.get(key);
    return versions?.[versions.length - 1].value;
  }

  #put(key: string, value: Bytes | undefined, expireAtMs = NO_EXPIRY): void {
    let versions = this.#versions.get(key);
    if (versions === undefined) this.#versions.set(key, versions = []);
    const at = this.#at;
    const index = Math.floor(at);
    let changed = this.#changed.get(index);
    if (changed === undefined) this.#changed.set(index, changed = new Set());
    changed.add(key);
    if (versions[versions.length - 1]?.at === at) versions.pop();
    versions.push({ at, value, expireAtMs });
    if (value !== undefined && expireAtMs !== NO_EXPIRY) this.#expiring.set(key, expireAtMs);
    else this.#expiring.delete(key);
  }
}

/** The last place in an entry. */
export function endOf(index: number): Position {
  return index + 1 - 1 / COMMANDS_MAX;
}

/** The place before one. */
export function justBefore(at: Position): Position {
  return at - 1 / COMMANDS_MAX;
}

/** The version in effect at a place. */
export function versionAt(versions: readonly Version[], at: Position): Version | undefined {
  let low = 0;
  let high = versions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (versions[middle].at <= at) low = middle + 1;
    else high = middle;
  }
  return versions[low - 1];
}

/** Counters, each of whose values one command alone can have answered. */
const COUNTING: ReadonlySet<string> = new Set(["incr", "hincrby", "zincrby"]);
const POPS: ReadonlySet<string> = new Set(["lpop", "rpop", "blpop"]);
/** They name what others have brought. */
const REMOVALS: ReadonlySet<string> = new Set(["srem", "zrem"]);
const POPPED = /\$(t\d+)\]?$/;

/**
 * What names a command: its token, or for one that counts the number that only it can have
 * answered, or for one that takes an element away that element.
 */
export function tokenOf(argv: readonly Bytes[], reply: string): string | undefined {
  const name = argv[0].toLowerCase();
  if (REMOVALS.has(name)) return undefined;
  if (COUNTING.has(name)) return `${argv[1]}=${reply}`;
  if (POPS.has(name)) {
    const popped = POPPED.exec(reply);
    return popped === null ? undefined : `pop ${popped[1]}`;
  }
  for (let i = argv.length - 1; i >= 1; i--) {
    const match = TOKEN.exec(argv[i]);
    if (match !== null) return match[1];
  }
  return undefined;
}
