import type { Prng } from "../../src/base/prng.ts";
import { Prng as RealPrng } from "../../src/base/prng.ts";
import { resolve } from "../../src/commands/table.ts";
import type { Reply } from "../../src/resp/reply.ts";
import { ErrorReply } from "../../src/resp/reply.ts";
import { type Clock, SYSTEM_CLOCK, type Timer } from "../../src/base/clock.ts";
import type { PeerLink } from "../../src/server/peer_link.ts";
import type { LocalBlocking } from "../../src/server/waiting_commands.ts";
import { type Pending, Session } from "../../src/server/session.ts";

/** A client that writes down the replies it gets. */
export class FakeSession extends Session {
  readonly queryBufferBytes = 0;
  readonly outputBufferBytes = 0;
  outputBlocked = false;
  readonly replies: Reply[] = [];

  constructor(id = 1) {
    super({
      id,
      nowMs: 0,
      remoteAddress: "",
      localAddress: "",
      passwordRequired: () => false,
    });
  }

  deliver(reply: Reply): void {
    this.replies.push(reply);
  }

  resume(): void {}
  flush(): void {}
  close(): void {}
}

export class FakeClock implements Clock {
  nowMs = 1000;
  wallMs(): number {
    return this.nowMs;
  }
  wallUs(): number {
    return this.nowMs * 1000;
  }
  monotonicMs(): number {
    return this.nowMs;
  }
  after(delayMs: number, run: () => void): Timer {
    return SYSTEM_CLOCK.after(delayMs, run);
  }
}

/** What was handed to other nodes. */
export class FakeLink implements PeerLink {
  isUp = true;
  readonly readRequests: { readonly leader: number; readonly id: number }[] = [];
  readonly readAnswers: (readonly [to: number, id: number, index: number])[] = [];
  readonly forwarded: {
    readonly leader: number;
    readonly term: number;
    readonly segment: string;
  }[] = [];

  send(): void {}

  forward(leader: number, term: number, segment: string): boolean {
    if (this.isUp) this.forwarded.push({ leader, term, segment });
    return this.isUp;
  }

  requestReadPoint(leader: number, id: number): boolean {
    if (this.isUp) this.readRequests.push({ leader, id });
    return this.isUp;
  }

  answerReadPoint(to: number, id: number, index: number): void {
    this.readAnswers.push([to, id, index]);
  }

  announceDigest(): void {}

  sendPubSub(): boolean {
    return this.isUp;
  }
}

export function fakePrng(): Prng {
  return new RealPrng(1);
}

/** A command under way, as the server makes it. */
export function pendingOf(
  session: Session,
  argv: readonly string[],
  deadlineMs = Infinity,
): Pending {
  const command = resolve(argv);
  if (command instanceof ErrorReply || command.path === "local") throw new Error(argv.join());
  return {
    session,
    command,
    db: 0,
    argv,
    piece: undefined,
    silent: false,
    startMs: 0,
    deadlineMs,
    wasSent: false,
    isAbandoned: false,
  };
}

/** A node none of whose clients waits for data. */
export const NOBODY_WAITS: LocalBlocking = {
  node: 1,
  incarnation: 1,
  hasReadyReads: false,
  served() {},
  cancelled() {},
  dropped() {},
  rewaited() {},
  waits() {},
  answered() {},
  readInLog: () => undefined,
  serveReads() {},
};
