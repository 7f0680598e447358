import type { Bytes } from "../base/bytes.ts";
import type { ClientView, Consistency } from "../commands/local_context.ts";
import type { TrackingState } from "../commands/tracking_view.ts";
import type { RunnableCommand } from "../commands/command.ts";
import type { Reply } from "../resp/reply.ts";
import type { PieceOf } from "./pieces.ts";
import type { Subscription } from "./pubsub.ts";
import { Transaction } from "./transaction.ts";
import type { User } from "../storage/users_table.ts";
import type { Watches } from "./watches.ts";

/**
 * One client: what it has selected, and its commands under way. Listeners extend it with the way
 * replies take.
 *
 * Commands of one session are answered in order without a queue of replies, by a rule on what may
 * be under way at once: only reads, or only commands in the log (each of which completes in order),
 * or one local command. `Server.execute` refuses what breaks the rule until the rest is done.
 */
export abstract class Session implements ClientView {
  readonly id: number;
  readonly createdAtMs: number;
  readonly remoteAddress: string;
  readonly localAddress: string;
  type: "normal" | "pubsub" = "normal";
  lastActiveMs: number;
  lastCommand = "NULL";
  name: Bytes = "";
  libName: Bytes = "";
  libVersion: Bytes = "";
  db = 0;
  protocol: 2 | 3 = 2;
  authenticated: boolean;
  user: Bytes = "default";
  /** The rules that the user is held to; undefined when it may do everything. */
  restriction: User | undefined;
  noEvict = false;
  noTouch = false;
  replyMode: "on" | "off" | "skip" = "on";
  /** CLIENT CONSISTENCY: what its reads may answer from. */
  consistency: Consistency = "linearizable";
  /** The channels it listens to; undefined until the first. */
  subscription: Subscription | undefined;
  /** CLIENT TRACKING; undefined when it is off. */
  tracking: TrackingState | undefined;
  /** Ends it. */
  endTracking: (() => void) | undefined;
  /** MONITOR; undefined when it is not on. */
  monitor: { close(): void } | undefined;
  /** What it has queued since MULTI; undefined outside of it. */
  transaction: Transaction | undefined;
  /** The keys it watches; undefined until the first. */
  watches: Watches | undefined;
  /** Reads under way. */
  pendingReads = 0;
  /** Commands under way in the log. */
  pendingLog = 0;
  /** One of those is large and not yet answered: nothing may overtake it. */
  largeUnderWay = false;
  /** Those of them that wait until the client takes what it has asked for. */
  deferredReads: Pending[] = [];
  /** A command is running that changes the session or answers later: nothing else may begin. */
  localRunning = false;
  /** It waits for data; undefined when it does not. */
  blocked: Blocked | undefined;
  /** Called when that command is answered with an error before its time. */
  onGiveUp: (() => void) | undefined;
  /** It was delivered something since its last flush. */
  touched = false;
  /** The client will send no more. */
  inputEnded = false;
  /** The connection is gone: replies go nowhere. */
  closed = false;

  readonly #passwordRequired: () => boolean;
  readonly #restriction: (() => User | undefined) | undefined;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.createdAtMs = options.nowMs;
    this.lastActiveMs = options.nowMs;
    this.remoteAddress = options.remoteAddress;
    this.localAddress = options.localAddress;
    this.#passwordRequired = options.passwordRequired;
    this.authenticated = !options.passwordRequired();
    this.#restriction = options.restriction;
    this.restriction = options.restriction?.();
  }

  abstract readonly queryBufferBytes: number;
  abstract readonly outputBufferBytes: number;
  /** So much output waits for the client that it gets no more for now. */
  abstract readonly outputBlocked: boolean;
  /** Takes the reply of the oldest command under way. */
  abstract deliver(reply: Reply): void;
  /** Nothing is under way any more: a refused command may be tried again. */
  abstract resume(): void;
  /** The end of a loop turn: send what was delivered. */
  abstract flush(): void;
  abstract close(now?: boolean): void;

  get idle(): boolean {
    return this.pendingReads === 0 && this.pendingLog === 0 && !this.localRunning;
  }

  /** A command of it leaves the log's way: it is answered, or waits for data. */
  leftLog(): void {
    if (--this.pendingLog === 0) this.largeUnderWay = false;
  }

  beginTransaction(): void {
    this.transaction = new Transaction();
  }

  /** Leaves MULTI, with all that was queued and watched. */
  endTransaction(): void {
    this.transaction = undefined;
    this.unwatch();
  }

  unwatch(): void {
    this.watches?.clear();
  }

  /** Gives up what it has on this node beside its connection: it is gone, or made as new. */
  release(): void {
    void this.blocked?.end("gone");
    this.endTracking?.();
    this.monitor?.close();
    this.monitor = undefined;
    this.endTransaction();
    this.subscription?.close();
    this.subscription = undefined;
  }

  reset(): void {
    this.release();
    this.name = "";
    this.db = 0;
    this.protocol = 2;
    this.authenticated = !this.#passwordRequired();
    this.user = "default";
    this.restriction = this.#restriction?.();
    this.noEvict = false;
    this.noTouch = false;
    this.replyMode = "on";
    this.consistency = "linearizable";
  }
}

export interface SessionOptions {
  readonly id: number;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly passwordRequired: () => boolean;
  /** What the default user is held to; nothing when absent. */
  readonly restriction?: () => User | undefined;
}

/** What a session has while its command waits for data. */
export interface Blocked {
  /** Ends the wait; false: it was served before. */
  end(kind: "timeout" | "error" | "gone"): Promise<boolean>;
}

/** A data command under way: the waiter for its reply. */
export interface Pending {
  readonly session: Session;
  readonly command: RunnableCommand & { readonly path: "read" | "write" };
  readonly db: number;
  readonly argv: readonly Bytes[];
  /** In the outbox alone: what it is a piece of. */
  readonly piece: PieceOf | undefined;
  /** CLIENT REPLY OFF or SKIP was on when it was sent. */
  readonly silent: boolean;
  /** When it came, on the monotonic clock. */
  readonly startMs: number;
  /** On the monotonic clock: it is answered with an error then. Later while a large one moves on. */
  deadlineMs: number;
  /** It was sent to a leader before the present one. */
  wasSent: boolean;
  /** It was answered so: whatever comes of it, nobody waits. */
  isAbandoned: boolean;
}

/** A request of a session that is to get under way; takes up its CLIENT REPLY SKIP. */
export function makePending(
  session: Session,
  command: RunnableCommand,
  argv: readonly Bytes[],
  { startMs, deadlineMs }: Pick<Pending, "startMs" | "deadlineMs">,
): Pending {
  const silent = session.replyMode !== "on";
  if (session.replyMode === "skip") session.replyMode = "on";
  return {
    session,
    command: command as Pending["command"],
    db: session.db,
    argv,
    piece: undefined,
    silent,
    startMs,
    deadlineMs,
    wasSent: false,
    isAbandoned: false,
  };
}
