import process from "node:process";
import { makeHttpApp } from "../../src/listeners/http_listener.ts";
import type { HttpExecutor, HttpOptions } from "../../src/listeners/http_types.ts";
import * as replies from "../../src/resp/reply.ts";
import { type HttpServer, serveHttp } from "../../src/runtime/runtime.ts";

export const TOKEN = "s3cret/token";
export const BODY_BYTES_MAX = 100_000;

/** Replies to the commands named so; any other command is answered with its argument list. */
const REPLIES: Readonly<Record<string, replies.Reply>> = {
  ok: replies.OK,
  pong: replies.PONG,
  nil: null,
  nilarray: replies.NIL_ARRAY,
  integer: 42,
  largest: 2n ** 53n,
  smallest: -(2n ** 63n),
  double: new replies.DoubleReply("1.5"),
  boolean: new replies.BooleanReply(true),
  map: new replies.MapReply([["field", 1], ["list", ["a", null]]]),
  fewer: new replies.SetReply(["x", "y"]),
  pairs: new replies.PairsReply([["m", new replies.DoubleReply("2")], ["n", "3"]]),
  nested: [replies.OK, ["OK", [null, -1], []], replies.err("inside")],
  accents: "h\xc3\xa9\xff",
  wrongtype: replies.WRONG_TYPE,
  down: new replies.ErrorReply("CLUSTERDOWN no leader"),
};

export const HERE = { index: 7, node: 3, role: "follower", clusterId: "0123456789abcdef" };

export function fakeExecutor(ready: { reason: string }): HttpExecutor {
  return {
    execute(commands) {
      if (commands[0]?.[0] === "defect") throw new Error("a defect");
      const answer = (argv: readonly string[]) =>
        Object.hasOwn(REPLIES, argv[0]) ? REPLIES[argv[0]] : argv;
      return Promise.resolve({
        replies: commands.map(answer),
        position: { index: 9, position: commands.length },
      });
    },
    state: () => HERE,
    reached: (index) => Promise.resolve(index <= 100),
    readiness: () => Promise.resolve({ ready: ready.reason === "", reason: ready.reason }),
    cluster: () => undefined,
    metrics: () => Promise.resolve({ text: "up 1\n", contentType: "text/plain" }),
    users: { anonymous: () => "all", ofToken: () => "none", refusal: () => undefined },
    monitors: undefined,
    pubsub: undefined,
    changes: undefined,
  };
}

export function serveFake(
  executor: HttpExecutor,
  options: Partial<HttpOptions> = {},
): Promise<HttpServer> {
  const app = makeHttpApp(executor, { tokens: [], bodyBytesMax: BODY_BYTES_MAX, ...options });
  return serveHttp({ host: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });
}

if (import.meta.main) {
  const server = await serveFake(fakeExecutor({ reason: "" }), { tokens: [TOKEN, "other"] });
  console.log(server.port);
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(0));
}
