import type { Bytes } from "../base/bytes.ts";
import { resolve } from "../commands/table.ts";
import { ErrorReply, type Reply, TransactionReply } from "../resp/reply.ts";
import type { Access } from "./http_auth.ts";
import type { Manner } from "./http_manner.ts";
import { refusedToReaders } from "./http_permissions.ts";
import { refusedOverHttp } from "./http_refused.ts";
import type { HttpResponses } from "./http_response.ts";
import type { ExecuteOptions, HttpExecutor } from "./http_types.ts";

/** Runs the commands of a request and answers it. */
export class HttpCommands {
  readonly #executor: HttpExecutor;
  readonly #responses: HttpResponses;

  constructor(executor: HttpExecutor, responses: HttpResponses) {
    this.#executor = executor;
    this.#responses = responses;
  }

  /** One command. */
  one(argv: readonly Bytes[], manner: Manner, access: Access): Response | Promise<Response> {
    const refused = refusal(argv, access);
    if (refused !== undefined) return this.#responses.reply(refused, manner.format);
    const command = withIdempotency(argv, manner, "");
    return this.#executor.execute([command], how(manner, access)).then(({ replies, position }) =>
      this.#responses.reply(replies[0], manner.format, position)
    );
  }

  /** Several, in order; one that is refused is answered in its place. */
  async pipeline(
    commands: readonly (readonly Bytes[])[],
    manner: Manner,
    access: Access,
  ): Promise<Response> {
    const replies: Reply[] = commands.map((argv) => refusal(argv, access) ?? null);
    const allowed: (readonly Bytes[])[] = [];
    for (const [at, argv] of commands.entries()) {
      // Each command has a key of its own, made of the request's.
      if (replies[at] === null) allowed.push(withIdempotency(argv, manner, `\0${at}`));
    }
    const outcome = await this.#executor.execute(allowed, how(manner, access));
    let next = 0;
    for (let at = 0; at < replies.length; at++) {
      if (replies[at] === null) replies[at] = outcome.replies[next++];
    }
    return this.#responses.batch(replies, manner.format, outcome.position);
  }

  /**
   * All or nothing, with nothing in between. What EXEC answers comes as from `/pipeline`; when the
   * transaction was discarded, the error that it was discarded for.
   */
  async transaction(
    commands: readonly (readonly Bytes[])[],
    manner: Manner,
    access: Access,
  ): Promise<Response> {
    const format = manner.format === "resp2" ? "json" : manner.format;
    for (const argv of commands) {
      const refused = refusal(argv, access);
      if (refused !== undefined) return this.#responses.reply(refused, format);
    }
    // Each write has a key of its own: one entry remembers all of them or none.
    const queue = commands.map((argv, at) => withIdempotency(argv, manner, `\0${at}`));
    const batch = [["MULTI"], ...queue, ["EXEC"]];
    const { replies, position } = await this.#executor.execute(batch, how(manner, access));
    const executed = replies[replies.length - 1];
    if (executed instanceof TransactionReply) {
      return this.#responses.batch(executed.replies, format, position);
    }
    const cause = replies.find((reply) => reply instanceof ErrorReply) ?? executed;
    return this.#responses.reply(cause, format, position);
  }
}

function refusal(argv: readonly Bytes[], access: Access): ErrorReply | undefined {
  return refusedOverHttp(argv) ?? (access === "read" ? refusedToReaders(argv) : undefined);
}

/** How the commands of a request are run. */
function how(manner: Manner, access: Access): ExecuteOptions {
  return typeof access === "string" ? manner : { ...manner, user: access.user };
}

/** The command as it is carried out once for the request's idempotency key, if it writes. */
function withIdempotency(
  argv: readonly Bytes[],
  { idempotency }: Manner,
  suffix: Bytes,
): readonly Bytes[] {
  if (idempotency === undefined) return argv;
  const command = resolve(argv);
  if (command instanceof ErrorReply || command.path !== "write") return argv;
  return ["IDEMPOTENT", idempotency.key + suffix, idempotency.ttlMs, ...argv];
}
