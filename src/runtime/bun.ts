import { ListenError } from "./listen_error.ts";
import { type HttpServeOptions, type HttpServer, IDLE_TIMEOUT_DEFAULT_MS } from "./runtime.ts";
import { withinGrace } from "./stop.ts";

/** serveHttp on Bun.serve. */
export function serveHttpOnBun(options: HttpServeOptions): HttpServer {
  const { host, port, fetch, bodyBytesMax, idleTimeoutMs = IDLE_TIMEOUT_DEFAULT_MS } = options;
  const idleTimeoutS = Math.ceil(idleTimeoutMs / 1000);
  const server = listen();
  return {
    port: server.port ?? port,
    async stop(enough) {
      await withinGrace(server.stop(false), enough);
      await server.stop(true);
    },
  };

  function listen() {
    try {
      return Bun.serve({
        hostname: host,
        port,
        idleTimeout: idleTimeoutS,
        development: false,
        // Without development mode Bun shares ports by default: a second server would take half.
        reusePort: false,
        // Bun's own refusal, from 128 MiB on by default, has no body: leave it to the handler.
        maxRequestBodySize: bodyBytesMax ?? Number.MAX_SAFE_INTEGER,
        fetch: (request, self) =>
          fetch(request, {
            address: () => self.requestIP(request)?.address ?? "",
            keepOpen: (isOpen) => self.timeout(request, isOpen ? 0 : idleTimeoutS),
          }),
      });
    } catch (error) {
      throw new ListenError(host, port, error);
    }
  }
}
