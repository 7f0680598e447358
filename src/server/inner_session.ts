import type { Bytes } from "../base/bytes.ts";
import type { DataCommand } from "../commands/command.ts";
import type { Reply } from "../resp/reply.ts";
import { Session } from "./session.ts";

/** Takes a command on data of a session; false: not before what it has under way is done. */
export type Submit = (session: Session, command: DataCommand, argv: readonly Bytes[]) => boolean;

/** A command on data, with the words that stand for it in the log. */
export type InnerCall = readonly [command: DataCommand, argv: readonly Bytes[]];

/** A session without a client: commands on data that a command of the node itself consists of. */
export class InnerSession extends Session {
  readonly queryBufferBytes = 0;
  readonly outputBufferBytes = 0;
  readonly outputBlocked = false;
  readonly #submit: Submit;
  #calls: readonly InnerCall[] = [];
  #next = 0;
  #replies: Reply[] = [];
  #resolve: (replies: readonly Reply[]) => void = () => {};

  /** `nowMs`: Unix time. */
  constructor(submit: Submit, db: number, nowMs: number) {
    super({ id: 0, nowMs, remoteAddress: "", localAddress: "", passwordRequired: () => false });
    this.#submit = submit;
    this.db = db;
  }

  /** Runs commands in order, at least one; those before must be done. */
  run(calls: readonly InnerCall[]): Promise<readonly Reply[]> {
    return new Promise((resolve) => {
      this.#calls = calls;
      this.#next = 0;
      this.#replies = [];
      this.#resolve = resolve;
      this.#work();
    });
  }

  override deliver(reply: Reply): void {
    this.#replies.push(reply);
  }

  override flush(): void {
    if (this.#replies.length === this.#calls.length) this.#resolve(this.#replies);
  }

  override resume(): void {
    this.#work();
  }

  override close(): void {
    this.closed = true;
  }

  #work(): void {
    while (this.#next < this.#calls.length && this.#submit(this, ...this.#calls[this.#next])) {
      this.#next++;
    }
  }
}
