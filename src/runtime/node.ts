import type { Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { createServer } from "node:http";
import { ListenError } from "./listen_error.ts";
import type { HttpServeOptions, HttpServer } from "./runtime.ts";
import { STOP_GRACE_MS, within } from "./stop.ts";

/** serveHttp on node:http, with Hono's adapter between its requests and the web's. */
export async function serveHttpOnNode(options: HttpServeOptions): Promise<HttpServer> {
  const listener = getRequestListener(
    (request, env) => options.fetch(request, () => env.incoming.socket.remoteAddress ?? ""),
    { overrideGlobalObjects: false },
  );
  // A body may arrive as slowly as the handler allows; streams have no end.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 65_000 }, listener);
  await listen(server, options.host, options.port);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    async stop(graceMs = STOP_GRACE_MS) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await within(graceMs, closed);
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
