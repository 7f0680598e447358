import type { Bytes } from "../base/bytes.ts";
import type { Reply } from "../resp/reply.ts";
import type { Consistency } from "../commands/local_context.ts";
import { Session, type SessionOptions } from "../server/session.ts";
import type { Outcome, Position } from "./http_types.ts";
import type { Server } from "../server/server.ts";

export interface BatchOptions extends SessionOptions {
  /** What reads may answer from; linearizable when absent. */
  readonly consistency?: Consistency;
  /** Whose commands they are; one who may do everything when absent. */
  readonly user?: Bytes;
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
  #position: Position = { index: 0, position: 0 };
  #resolve: (outcome: Outcome) => void = () => {};

  constructor(server: Server, commands: readonly (readonly Bytes[])[], options: BatchOptions) {
    super(options);
    this.#server = server;
    this.#commands = commands;
    this.authenticated = true;
    if (options.user !== undefined) {
      this.user = options.user;
      this.restriction = server.features.access.restrictionOf(options.user);
    }
    this.protocol = 3;
    this.consistency = options.consistency ?? "linearizable";
  }

  /** Runs them. */
  run(): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#work();
    });
  }

  override deliver(reply: Reply): void {
    this.#replies.push(reply);
    if (this.#replies.length === this.#commands.length) this.#position = this.#server.position;
  }

  override resume(): void {
    this.#work();
  }

  override flush(): void {
    if (this.#replies.length === this.#commands.length) this.#end();
  }

  override close(): void {
    this.closed = true;
  }

  #work(): void {
    // Looked at before each: it is called again once the refusal is given.
    while (this.#next < this.#commands.length && !this.#isRefusedTransaction()) {
      if (!this.#server.execute(this, this.#commands[this.#next])) return;
      this.#next++;
    }
    if (this.#commands.length > 0 && !this.#isRefusedTransaction()) return;
    this.#position = this.#server.position;
    this.#end();
  }

  /** Its user may not run MULTI: what was to be all or nothing is nothing. */
  #isRefusedTransaction(): boolean {
    return this.#next === 1 && this.#commands[0][0] === "MULTI" && this.transaction === undefined;
  }

  #end(): void {
    this.#resolve({ replies: this.#replies, position: this.#position });
  }
}
