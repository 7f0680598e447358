// Runs serveHttp with an idle time-out of two seconds on whichever runtime this file is started with,
// for clients that read slowly or not at all; prints the port.
import { type ConnectionView, serveHttp } from "../../src/runtime/runtime.ts";

/** More than the system's buffers between two sockets hold. */
const BIG = new Uint8Array(16 << 20);
const PIECE = BIG.subarray(0, 100_000);

/** As much as is taken; or, as a stream that drops its client, ends amid that. */
function stream(isDropped: boolean, connection: ConnectionView): ReadableStream<Uint8Array> {
  connection.keepOpen(true);
  return new ReadableStream({
    start(controller) {
      if (!isDropped) return;
      controller.enqueue(BIG);
      controller.close();
      connection.keepOpen(false);
    },
    pull: (controller) => controller.enqueue(PIECE),
  }, { highWaterMark: 0 });
}

const server = await serveHttp({
  host: "127.0.0.1",
  port: 0,
  idleTimeoutMs: 2000,
  fetch: (request, connection) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/dropped") return new Response(stream(true, connection));
    if (pathname === "/stream") return new Response(stream(false, connection));
    return new Response(BIG);
  },
});
console.log(server.port);
