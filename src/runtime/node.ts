import type { Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { createServer } from "node:http";
import { ListenError } from "./listen_error.ts";
import { type HttpServeOptions, type HttpServer, IDLE_TIMEOUT_DEFAULT_MS } from "./runtime.ts";
import { withinGrace } from "./stop.ts";
import { UnreadAnswers } from "./unread_answers.ts";

/** serveHttp on node:http (Node and Deno), with Hono's adapter between its requests and the web's. */
export async function serveHttpOnNode(options: HttpServeOptions): Promise<HttpServer> {
  const { fetch, idleTimeoutMs = IDLE_TIMEOUT_DEFAULT_MS } = options;
  const listener = getRequestListener(
    (request, env) =>
      fetch(request, {
        address: () => env.incoming.socket.remoteAddress ?? "",
        keepOpen: () => {},
      }),
    { overrideGlobalObjects: false },
  );
  const answers = new UnreadAnswers(idleTimeoutMs);
  const checkMs = Math.min(1000, idleTimeoutMs);
  const server = createServer({
    headersTimeout: idleTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
    connectionsCheckingInterval: checkMs,
    // A body may arrive as slowly as the handler allows; streams have no end.
    requestTimeout: 0,
  }, (incoming, outgoing) => {
    answers.watch(outgoing);
    return listener(incoming, outgoing);
  });
  await listen(server, options.host, options.port);
  const looks = setInterval(() => answers.look(performance.now()), checkMs);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    async stop(enough) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // Connections become idle as their requests are answered.
      const timer = setInterval(() => server.closeIdleConnections(), 50);
      await withinGrace(closed, enough);
      clearInterval(timer);
      clearInterval(looks);
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new ListenError(host, port, error)));
    server.listen(port, host, () => resolve());
  });
}
