import { ListenError } from "./listen_error.ts";
import type { HttpServeOptions, HttpServer } from "./runtime.ts";
import { STOP_GRACE_MS, within } from "./stop.ts";

/** serveHttp on Deno.serve. */
export function serveHttpOnDeno(options: HttpServeOptions): HttpServer {
  const { host, port, fetch } = options;
  const server = listen();
  return {
    port: server.addr.port,
    async stop(graceMs = STOP_GRACE_MS) {
      // Streams that outlast the grace end with the process: an abort after shutdown() throws.
      await within(graceMs, server.shutdown());
    },
  };

  function listen() {
    try {
      return Deno.serve(
        { hostname: host, port, onListen: () => {} },
        // Deno's server has no idle time-outs.
        (request, info) =>
          fetch(request, { address: () => info.remoteAddr.hostname, keepOpen: () => {} }),
      );
    } catch (error) {
      throw new ListenError(host, port, error);
    }
  }
}
