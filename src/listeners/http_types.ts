import type { Bytes } from "../base/bytes.ts";
import type { ClusterStatus } from "../commands/cluster_view.ts";
import type { Consistency } from "../commands/local_context.ts";
import type { Reply } from "../resp/reply.ts";

/** How a request's commands are to be run. */
export interface ExecuteOptions {
  /** What reads may answer from; linearizable when absent. */
  readonly consistency?: Consistency;
}

/** What the HTTP listener needs of the server. */
export interface HttpExecutor {
  /** Runs one command on a session of its own; write replies come after the commit. Never rejects. */
  execute(argv: readonly Bytes[], options?: ExecuteOptions): Promise<Reply>;
  /**
   * Runs commands in order on one session, as a pipelining connection would: each sees what those
   * before it wrote, and they share commits. Replies in the same order. Never rejects. Where it is
   * missing, the listener waits for each reply before it sends the next command.
   */
  executeInOrder?(
    commands: readonly (readonly Bytes[])[],
    options?: ExecuteOptions,
  ): Promise<readonly Reply[]>;
  /** Can this node serve writes now? The reason when not. */
  readiness(): { ready: boolean; reason: string };
  /** What this node knows of its cluster; undefined while it is in none. */
  cluster?(): ClusterStatus | undefined;
}

export interface HttpOptions {
  /** Any of these opens the door; empty: no authentication. */
  readonly tokens: readonly string[];
  /** A longer request body is refused with 413 and never held in memory. */
  readonly bodyBytesMax: number;
  /** "*" or origins separated by commas that a browser's pages may call from; none when absent. */
  readonly corsOrigin?: string;
}

export type HttpStatus = 400 | 401 | 403 | 404 | 405 | 413 | 500 | 503;

/** A request that is refused before any command runs: a client's mistake, as a value. */
export class HttpProblem {
  readonly status: HttpStatus;
  /** What is wrong, for the `error` member of the body. */
  readonly text: string;
  /** For 405: the value of the Allow header. */
  readonly allow: string | undefined;

  constructor(status: HttpStatus, text: string, allow?: string) {
    this.status = status;
    this.text = text;
    this.allow = allow;
  }
}
