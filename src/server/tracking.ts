import type { Bytes } from "../base/bytes.ts";
import type { DataCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import { keysOf } from "../commands/table.ts";
import { type TrackingOptions, type TrackingState } from "../commands/tracking_view.ts";
import { PushReply } from "../resp/reply.ts";
import { isAside, type TouchKind } from "../storage/change_recorder.ts";
import type { Answers } from "./answers.ts";
import { withoutUser } from "./run_as.ts";
import type { Session } from "./session.ts";
import type { Touches, TouchListener } from "./touches.ts";

/** Where a RESP2 connection that listens to it hears of keys. */
const CHANNEL = "__redis__:invalidate";

/** What runs a script, with the number of its keys and the keys behind its name. */
const SCRIPTS = /^(eval|evalsha|fcall)(_ro)?$/;

export interface TrackingOfNodeOptions {
  readonly answers: Answers;
  readonly touches: Touches;
  readonly sessions: ReadonlyMap<number, Session>;
  /** Asks for another turn of the loop, in which `flush` is called. */
  readonly schedule: () => void;
}

/**
 * CLIENT TRACKING: tells clients of this node which keys they may have in a cache of their own have
 * changed. Keys are noted where they are read and compared where writes are applied, both on this
 * node, so nothing is missed whichever node a write came to.
 *
 * What concerns a client's own command follows its reply, and what goes by prefix is gathered: all
 * of it is sent at the end of the loop turn.
 */
export class Tracking implements TouchListener {
  #keysMax = 1_000_000;
  /** Whose command is being applied. */
  current: Session | undefined;
  readonly #options: TrackingOfNodeOptions;
  /** By id. */
  readonly #clients = new Map<number, Session>();
  /** By key, whatever the database, as in Redis: ids, of clients that are gone too. */
  readonly #readers = new Map<Bytes, Set<number>>();
  /** What each is to be told; null: everything has changed. */
  #due: (readonly [Session, readonly Bytes[] | null])[] = [];
  /** Changed keys with a client by prefix, and who changed each last. */
  readonly #changed = new Map<Bytes, Session | undefined>();

  constructor(options: TrackingOfNodeOptions) {
    this.#options = options;
    options.touches.add(this);
  }

  get isIdle(): boolean {
    return this.#clients.size === 0;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Keys, each with each client that may have it. */
  get itemCount(): number {
    let count = 0;
    for (const readers of this.#readers.values()) count += readers.size;
    return count;
  }

  get prefixCount(): number {
    return new Set([...this.#clients.values()].flatMap((client) => client.tracking?.prefixes ?? []))
      .size;
  }

  get keyCount(): number {
    return this.#readers.size;
  }

  /** CONFIG tracking-table-max-keys; 0: no limit. */
  set keysMax(keys: number) {
    this.#keysMax = keys;
    this.#dropOldest();
  }

  enable(session: Session, options: TrackingOptions): void {
    const prefixes = new Set(session.tracking?.prefixes ?? []);
    if (options.bcast) {
      for (const each of options.prefixes.length === 0 ? [""] : options.prefixes) {
        prefixes.add(each);
      }
    }
    session.tracking = { ...options, prefixes: [...prefixes], isCaching: false, isBroken: false };
    session.endTracking = () => this.disable(session);
    this.#clients.set(session.id, session);
    if (this.#clients.size === 1) this.#options.touches.update();
  }

  disable(session: Session): void {
    session.tracking = undefined;
    session.endTracking = undefined;
    if (this.#clients.delete(session.id) && this.isIdle) {
      this.#readers.clear();
      this.#options.touches.update();
    }
  }

  /**
   * A command as it runs for a client that tracks: a read notes its keys, a script those that it
   * was given if it called a read. CLIENT CACHING is used up.
   */
  noting(session: Session, command: DataCommand, isOneOfMany = false): DataCommand {
    const { tracking } = session;
    const isScript = SCRIPTS.test(command.name);
    if (command.path !== "read" && !isScript) return command;
    if (tracking === undefined || tracking.bcast) return command;
    // Each of its commands is asked for by itself; it ends CLIENT CACHING as it is done.
    if (command.name === "exec") return command;
    const { isCaching } = tracking;
    if (!isOneOfMany) tracking.isCaching = false;
    if (tracking.optin && !isCaching || tracking.optout && isCaching) return command;
    if (isScript) return { ...command, run: this.#notingScript(session, command) };
    const note = (argv: readonly Bytes[]) => this.note(session, keysOf(command, argv));
    const { waiting } = command;
    return {
      ...command,
      run: thenNote(command.run, note),
      waiting: waiting && { ...waiting, tryServe: thenNote(waiting.tryServe, note) },
    };
  }

  #notingScript(session: Session, { run }: DataCommand): DataCommand["run"] {
    return (context, argv) => {
      context.scriptHasRead = false;
      const reply = run(context, argv);
      const words = withoutUser(argv);
      if (context.scriptHasRead) this.note(session, words.slice(3, 3 + Number(words[2])));
      return reply;
    };
  }

  /** Notes that a client has read these keys. */
  note(session: Session, keys: readonly Bytes[]): void {
    for (const key of keys) {
      const readers = this.#readers.get(key);
      if (readers === undefined) this.#readers.set(key, new Set([session.id]));
      else readers.add(session.id);
    }
    this.#dropOldest();
  }

  #dropOldest(): void {
    while (this.#keysMax > 0 && this.#readers.size > this.#keysMax) {
      const [oldest] = this.#readers.keys();
      this.#invalidate(oldest);
    }
  }

  touched(kind: TouchKind, _db: number, key: Bytes): void {
    if (kind === "swap" || kind === "flush" || isAside(kind)) return;
    this.#changed.set(key, this.current);
    this.#options.schedule();
    this.#invalidate(key);
  }

  /** Databases were emptied, or all came with a snapshot: everything has changed. */
  flushed(): void {
    this.#readers.clear();
    for (const client of this.#clients.values()) this.#tell(client, null);
  }

  #invalidate(key: Bytes): void {
    const readers = this.#readers.get(key);
    if (readers === undefined) return;
    this.#readers.delete(key);
    for (const id of readers) {
      const session = this.#clients.get(id);
      const tracking = session?.tracking;
      if (session === undefined || tracking === undefined || tracking.bcast) continue;
      if (!(tracking.noloop && session === this.current)) this.#tell(session, [key]);
    }
  }

  #tell(session: Session, keys: readonly Bytes[] | null): void {
    this.#due.push([session, keys]);
    this.#options.schedule();
  }

  /** The end of a loop turn: clients are told. */
  flush(): void {
    const due = this.#due;
    this.#due = [];
    for (const [session, keys] of due) this.#send(session, keys);
    if (this.#changed.size === 0) return;
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const session of this.#clients.values()) {
      if (session.tracking?.bcast) this.#sendByPrefix(session, session.tracking, changed);
    }
  }

  #sendByPrefix(
    session: Session,
    { prefixes, noloop }: TrackingState,
    changed: readonly (readonly [Bytes, Session | undefined])[],
  ): void {
    for (const prefix of prefixes) {
      const keys = changed
        .filter(([key, by]) => key.startsWith(prefix) && !(noloop && by === session))
        .map(([key]) => key).sort();
      if (keys.length > 0) this.#send(session, keys);
    }
  }

  #send(session: Session, keys: readonly Bytes[] | null): void {
    const { tracking } = session;
    if (tracking === undefined || session.closed) return;
    let to = session;
    if (tracking.redirect !== 0) {
      const target = this.#options.sessions.get(tracking.redirect);
      if (target === undefined) {
        tracking.isBroken = true;
        if (session.protocol === 3) {
          this.#deliver(session, new PushReply(["tracking-redir-broken", tracking.redirect]));
        }
        return;
      }
      to = target;
    }
    if (to.protocol === 3) this.#deliver(to, new PushReply(["invalidate", keys]));
    else if (to !== session && to.type === "pubsub") {
      this.#deliver(to, new PushReply(["message", CHANNEL, keys]));
    }
  }

  #deliver(session: Session, message: PushReply): void {
    this.#options.answers.touch(session);
    session.deliver(message);
  }
}

/** Runs a command, then calls `note` with its arguments. */
function thenNote<T>(
  run: (context: DataContext, argv: readonly Bytes[]) => T,
  note: (argv: readonly Bytes[]) => void,
): (context: DataContext, argv: readonly Bytes[]) => T {
  return (context, argv) => {
    const reply = run(context, argv);
    note(argv);
    return reply;
  };
}
