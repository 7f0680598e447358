import { BatchSession } from "../listeners/batch_session.ts";
import type { HttpExecutor } from "../listeners/http_types.ts";
import { NOT_STARTED } from "../server/errors.ts";
import type { Server } from "../server/server.ts";

/** Runs what HTTP requests ask for on sessions of their own; `current` is set once a node runs. */
export function makeHttpExecutor(current: () => Server | undefined): HttpExecutor {
  const run: NonNullable<HttpExecutor["executeInOrder"]> = (commands, options) => {
    const server = current();
    if (server === undefined) return Promise.resolve(commands.map(() => NOT_STARTED));
    return new BatchSession(server, commands, {
      id: 0,
      nowMs: server.wallMs(),
      remoteAddress: "",
      localAddress: "",
      passwordRequired: () => false,
      consistency: options?.consistency,
    }).run();
  };
  return {
    execute: async (argv, options) => (await run([argv], options))[0],
    executeInOrder: run,
    readiness: () => current()?.readiness() ?? { ready: false, reason: "joining a cluster" },
    cluster: () => current()?.node.cluster.status(),
  };
}
