import type { Bytes } from "../base/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { Waiting } from "../commands/blocking.ts";
import type { DataCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import { ErrorReply, NIL_ARRAY, type Reply } from "../resp/reply.ts";
import type { Identity } from "../storage/raft_log_types.ts";
import type { Answers } from "./answers.ts";
import { OUTCOME_UNKNOWN } from "./errors.ts";
import { isUndecided } from "./reads.ts";
import type { Pending, Session } from "./session.ts";
import type { Touches } from "./touches.ts";
import { type Waiter, Waiters } from "./waiters.ts";
import {
  CANCEL_NAME,
  type LocalBlocking,
  resolveWaiting,
  REWAIT_NAME,
} from "./waiting_commands.ts";

/** Why a client waits no more. */
export type Ending = "timeout" | "error" | "gone";

const UNBLOCKED = new ErrorReply("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/** A longer timer overflows, and comes at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface BlockingOptions {
  readonly answers: Answers;
  readonly clock: Clock;
  readonly touches: Touches;
  readonly identity: Identity;
  /** The waiting commands of all nodes. */
  readonly waiters: () => Waiters;
  readonly requestTimeoutMs: number;
  /** Sends a command to the log that nobody waits for. */
  readonly enqueue: (pending: Pending) => void;
}

/** A client of this node that waits. */
class BlockedClient {
  readonly pending: Pending;
  /** Its command in the log; or, of a read, its position among this node's waiters. */
  id: number;
  timer: Timer | undefined;
  /** The cancellations that are on their way, and who wants to know what came of each. */
  readonly endings: { readonly kind: Ending; readonly settle: (found: boolean) => void }[] = [];
  /** It was answered, or has gone. */
  isOver = false;
  /** It was dropped, and asks to wait on. */
  isDropped = false;

  constructor(pending: Pending, id: number) {
    this.pending = pending;
    this.id = id;
  }
}

/**
 * The clients of this node whose command waits for data. Those of commands that write wait in the
 * log, in one order with those of all nodes (`waiters.ts`); how it ends for each, served, timed out
 * or gone, is decided there too, by which entry comes first. Reads (XREAD BLOCK) take nothing from
 * anybody, so they wait here alone.
 */
export class Blocking implements LocalBlocking {
  readonly node: number;
  readonly incarnation: number;
  readonly #options: BlockingOptions;
  readonly #inLog = new Map<number, BlockedClient>();
  readonly #reading = new Map<number, BlockedClient>();
  readonly #readers: Waiters;
  #lastReader = 0;

  constructor(options: BlockingOptions) {
    this.#options = options;
    this.node = options.identity.nodeId;
    this.incarnation = options.identity.incarnation;
    this.#readers = new Waiters(() => options.touches.update());
    options.touches.add(this.#readers);
  }

  /** Clients that wait. */
  get count(): number {
    return this.#inLog.size + this.#reading.size;
  }

  /** From now on nothing of the session begins until the command that may wait is answered. */
  begins({ session }: Pending): void {
    session.localRunning = true;
    session.onGiveUp = () => this.#lift(session);
  }

  /** The command that might have waited is answered at once. */
  answered({ session }: Pending): void {
    this.#lift(session);
  }

  // --- in the log ------------------------------------------------------------------------------

  /** This command of ours waits from now on. */
  waits(sequence: number, pending: Pending, waiting: Waiting): void {
    const client = new BlockedClient(pending, sequence);
    this.#inLog.set(sequence, client);
    if (pending.isAbandoned || pending.session.closed) {
      client.isOver = true;
      this.#cancel(client, "gone");
      return;
    }
    pending.session.leftLog();
    this.#block(client, waiting.timeoutMs, (kind) => this.#cancel(client, kind));
  }

  served(sequence: number, reply: Reply): void {
    this.#leaveLog(sequence, reply);
  }

  cancelled(sequence: number, found: boolean): void {
    const client = this.#inLog.get(sequence);
    const ending = client?.endings.shift();
    if (client === undefined || ending === undefined) return;
    if (found) this.#leaveLog(sequence, ending.kind === "error" ? UNBLOCKED : NIL_ARRAY);
    ending.settle(found);
  }

  dropped(waiter: Waiter): void {
    const client = this.#inLog.get(waiter.sequence);
    if (client === undefined) return;
    // A cancellation that is on its way would find nothing.
    if (client.endings.length > 0) return this.cancelled(waiter.sequence, true);
    client.isDropped = true;
    const { position, sequence, keys, argv } = waiter;
    const words = [REWAIT_NAME, String(position), String(sequence), String(keys.length)];
    this.#send(client, [...words, ...keys, ...argv], waiter.db);
  }

  rewaited(from: number, to: number): void {
    const client = this.#inLog.get(from);
    if (client === undefined) return;
    this.#inLog.delete(from);
    client.isDropped = false;
    client.id = to;
    this.#inLog.set(to, client);
    // What was to end the command of before will find nothing.
    for (let left = client.endings.length; left > 0; left--) {
      this.#send(client, [CANCEL_NAME, String(to)], 0);
    }
  }

  /** The state is that of a snapshot: what became of those that wait there no more is not known. */
  snapshotInstalled(): void {
    for (const [sequence, { isDropped }] of [...this.#inLog]) {
      if (!isDropped && !this.#isWaiting(sequence)) this.#leaveLog(sequence, OUTCOME_UNKNOWN);
    }
    this.#readers.allTouched();
  }

  /** A command that a snapshot has in place of this node's log: true when it waits there. */
  waitsInSnapshot(sequence: number, pending: Pending): boolean {
    const { waiting } = pending.command;
    if (pending.argv[0] === REWAIT_NAME) return this.#rewaitsInSnapshot(sequence, pending);
    if (!this.#isWaiting(sequence) || waiting === undefined) return false;
    // One that was given up is blank, and waits for nothing.
    const timeoutMs = pending.isAbandoned ? 0 : waiting.timeoutMs(pending.argv);
    this.waits(sequence, pending, new Waiting([], timeoutMs));
    return true;
  }

  #rewaitsInSnapshot(sequence: number, { argv }: Pending): boolean {
    const isWaiting = this.#isWaiting(sequence);
    if (isWaiting) this.rewaited(Number(argv[2]), sequence);
    else this.#leaveLog(Number(argv[2]), OUTCOME_UNKNOWN);
    return isWaiting;
  }

  #isWaiting(sequence: number): boolean {
    return this.#options.waiters().find(this.node, this.incarnation, sequence) !== undefined;
  }

  #leaveLog(sequence: number, reply: Reply): void {
    const client = this.#inLog.get(sequence);
    this.#inLog.delete(sequence);
    if (client === undefined) return;
    for (const { settle } of client.endings.splice(0)) settle(false);
    this.#answer(client, reply);
  }

  /** Asks the log to end it; it may have been served by then. */
  #cancel(
    client: BlockedClient,
    kind: Ending,
    settle: (found: boolean) => void = () => {},
  ): void {
    const isFirst = client.endings.length === 0;
    client.endings.push({ kind, settle });
    this.#send(client, [CANCEL_NAME, String(client.id)], 0);
    if (!isFirst) return;
    const { clock, requestTimeoutMs } = this.#options;
    client.timer?.cancel();
    client.timer = clock.after(requestTimeoutMs, () => this.#answer(client, OUTCOME_UNKNOWN));
  }

  #send(client: BlockedClient, argv: readonly Bytes[], db: number): void {
    const { pending } = client;
    this.#options.enqueue({
      ...pending,
      command: resolveWaiting(argv[0]) as Pending["command"],
      db,
      argv,
      deadlineMs: 0,
      wasSent: false,
      // Its reply goes to nobody, and it is sent until it is applied.
      isAbandoned: true,
    });
  }

  // --- on this node alone ----------------------------------------------------------------------

  /** Runs a read that may wait: its reply, or undefined when it does, or when the log decides. */
  read(context: DataContext, pending: Pending, command: DataCommand): Reply | undefined {
    const served = command.waiting!.tryServe(context, pending.argv);
    // It waits where the log has it run again, and only there.
    if (isUndecided(context, pending.session)) return undefined;
    if (!(served instanceof Waiting)) {
      this.answered(pending);
      return served;
    }
    const position = ++this.#lastReader;
    const client = new BlockedClient(pending, position);
    this.#reading.set(position, client);
    this.#readers.add({
      position,
      node: 0,
      incarnation: 0,
      sequence: position,
      db: pending.db,
      argv: served.argv ?? pending.argv,
      keys: [...new Set(served.keys)],
    });
    this.#block(client, served.timeoutMs, (kind) => {
      this.#leaveReading(position, kind === "error" ? UNBLOCKED : NIL_ARRAY);
    });
    return undefined;
  }

  get hasReadyReads(): boolean {
    return this.#readers.hasReady;
  }

  /** Answers the reads that found what they waited for. */
  serveReads(context: DataContext): void {
    this.#readers.serve(context, ({ position }, reply) => this.#leaveReading(position, reply));
  }

  #leaveReading(position: number, reply: Reply): void {
    const client = this.#reading.get(position);
    if (client === undefined) return;
    this.#reading.delete(position);
    const waiter = this.#readers.find(0, 0, position);
    if (waiter !== undefined) this.#readers.remove(waiter);
    this.#answer(client, reply);
  }

  // --- both ------------------------------------------------------------------------------------

  #block(client: BlockedClient, timeoutMs: number, end: (kind: Ending) => void): void {
    const { session } = client.pending;
    session.blocked = {
      end: (kind) => {
        // One whose client is gone is not answered.
        if (kind === "gone") client.isOver = true;
        return new Promise((settle) => {
          if (this.#inLog.has(client.id) && this.#inLog.get(client.id) === client) {
            this.#cancel(client, kind, settle);
          } else {
            end(kind);
            settle(true);
          }
        });
      },
    };
    if (timeoutMs > 0) this.#plan(client, timeoutMs, end);
    if (session.inputEnded) session.close(true);
  }

  #plan(client: BlockedClient, timeoutMs: number, end: (kind: Ending) => void): void {
    const delayMs = Math.min(timeoutMs, TIMER_MS_MAX);
    client.timer = this.#options.clock.after(delayMs, () => {
      if (timeoutMs > delayMs) this.#plan(client, timeoutMs - delayMs, end);
      else end("timeout");
    });
  }

  #answer(client: BlockedClient, reply: Reply): void {
    client.timer?.cancel();
    const { session } = client.pending;
    if (client.isOver) return;
    client.isOver = true;
    session.blocked = undefined;
    this.#lift(session);
    this.#options.answers.complete(client.pending, reply, 0);
  }

  #lift(session: Session): void {
    session.localRunning = false;
    session.onGiveUp = undefined;
  }
}
