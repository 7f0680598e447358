import { ListenError } from "./listen_error.ts";
import type { HttpServeOptions, HttpServer } from "./runtime.ts";
import { STOP_GRACE_MS, within } from "./stop.ts";

/** serveHttp on Deno.serve. */
export function serveHttpOnDeno(options: HttpServeOptions): HttpServer {
  const { host, port, fetch } = options;
  const cut = new AbortController();
  const server = listen();
  return {
    port: server.addr.port,
    async stop(graceMs = STOP_GRACE_MS) {
      let finished = false;
      await within(graceMs, server.shutdown().then(() => finished = true));
      // To abort what has ended already is an error.
      if (!finished) cut.abort();
      await within(graceMs, server.finished);
    },
  };

  function listen() {
    try {
      return Deno.serve(
        { hostname: host, port, signal: cut.signal, onListen: () => {} },
        (request, info) => fetch(request, () => info.remoteAddr.hostname),
      );
    } catch (error) {
      throw new ListenError(host, port, error);
    }
  }
}
