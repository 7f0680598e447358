import type { Bytes } from "../base/bytes.ts";
import type { Reply } from "../resp/reply.ts";
import type { Consistency } from "../commands/local_context.ts";
import { Session, type SessionOptions } from "../server/session.ts";
import type { Server } from "../server/server.ts";

export interface BatchOptions extends SessionOptions {
  /** What reads may answer from; linearizable when absent. */
  readonly consistency?: Consistency;
}

/** A session without a connection: runs a list of commands in order and collects the replies. */
export class BatchSession extends Session {
  readonly queryBufferBytes = 0;
  readonly outputBufferBytes = 0;
  readonly outputBlocked = false;
  readonly #server: Server;
  readonly #commands: readonly (readonly Bytes[])[];
  readonly #replies: Reply[] = [];
  #next = 0;
  #resolve: (replies: readonly Reply[]) => void = () => {};

  constructor(server: Server, commands: readonly (readonly Bytes[])[], options: BatchOptions) {
    super(options);
    this.#server = server;
    this.#commands = commands;
    this.authenticated = true;
    this.protocol = 3;
    this.consistency = options.consistency ?? "linearizable";
  }

  /** Runs them; resolves with as many replies. */
  run(): Promise<readonly Reply[]> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#work();
    });
  }

  override deliver(reply: Reply): void {
    this.#replies.push(reply);
  }

  override resume(): void {
    this.#work();
  }

  override flush(): void {
    if (this.#replies.length === this.#commands.length) this.#resolve(this.#replies);
  }

  override close(): void {
    this.closed = true;
  }

  #work(): void {
    while (this.#next < this.#commands.length) {
      if (!this.#server.execute(this, this.#commands[this.#next])) return;
      this.#next++;
    }
    if (this.#commands.length === 0) this.#resolve(this.#replies);
  }
}
