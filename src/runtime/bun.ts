import { ListenError } from "./listen_error.ts";
import type { HttpServeOptions, HttpServer } from "./runtime.ts";
import { STOP_GRACE_MS, within } from "./stop.ts";

/** serveHttp on Bun.serve. */
export function serveHttpOnBun(options: HttpServeOptions): HttpServer {
  const { host, port, fetch, bodyBytesMax } = options;
  const server = listen();
  return {
    port: server.port ?? port,
    async stop(graceMs = STOP_GRACE_MS) {
      await within(graceMs, server.stop(false));
      await server.stop(true);
    },
  };

  function listen() {
    try {
      return Bun.serve({
        hostname: host,
        port,
        idleTimeout: 0,
        development: false,
        // Without development mode Bun shares ports by default: a second server would take half.
        reusePort: false,
        // Bun's own refusal, from 128 MiB on by default, has no body: leave it to the handler.
        maxRequestBodySize: bodyBytesMax ?? Number.MAX_SAFE_INTEGER,
        fetch: (request, self) => fetch(request, () => self.requestIP(request)?.address ?? ""),
      });
    } catch (error) {
      throw new ListenError(host, port, error);
    }
  }
}
