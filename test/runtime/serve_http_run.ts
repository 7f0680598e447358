// Runs serveHttp on whichever runtime this file is started with; tells its checks as JSON lines.
import process from "node:process";
import { hostPort } from "../../src/runtime/listen_error.ts";
import { RUNTIME_NAME, serveHttp } from "../../src/runtime/runtime.ts";

const HOST = "127.0.0.1";

async function main(): Promise<Record<string, unknown>> {
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  const server = await serveHttp({
    host: HOST,
    port: 0,
    fetch: async (request, connection) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/peer") return new Response(connection.address());
      if (pathname === "/held") await held;
      if (pathname === "/stream") return new Response(endless());
      const body = new Uint8Array(await request.arrayBuffer());
      return new Response(body, { status: 201, headers: { "x-method": request.method } });
    },
  });
  const base = `http://${hostPort(HOST, server.port)}`;
  const checks: Record<string, unknown> = { runtime: RUNTIME_NAME };

  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const echo = await fetch(`${base}/echo`, { method: "POST", body: bytes });
  checks.status = echo.status;
  checks.method = echo.headers.get("x-method");
  checks.binary = new Uint8Array(await echo.arrayBuffer()).every((byte, i) => byte === i);
  checks.peer = await (await fetch(`${base}/peer`)).text();
  checks.inUse = await serveHttp({ host: HOST, port: server.port, fetch: () => new Response() })
    .then(() => "listens", (error) => `${error.name} ${error.code}`);

  const stream = await fetch(`${base}/stream`);
  const reader = stream.body!.getReader();
  checks.streamed = (await reader.read()).value!.length > 0;

  // A request in flight is answered during the stop; a stream is cut after the grace.
  const answer = fetch(`${base}/held`).then((response) => response.status);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const stopped = server.stop(new Promise((resolve) => setTimeout(resolve, 600)));
  await new Promise((resolve) => setTimeout(resolve, 50));
  release();
  checks.inFlight = await answer;
  await stopped;
  checks.refusedAfterStop = await fetch(`${base}/peer`).then(() => false, () => true);
  await reader.cancel().catch(() => {});

  const second = await serveHttp({ host: HOST, port: 0, fetch: () => new Response("b") });
  await (await fetch(`http://${hostPort(HOST, second.port)}/`)).text();
  await second.stop();
  checks.stopsWhenIdle = true;
  return checks;
}

function endless(): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setInterval>;
  return new ReadableStream({
    start(controller) {
      timer = setInterval(() => controller.enqueue(new Uint8Array(8)), 20);
    },
    cancel() {
      clearInterval(timer);
    },
  });
}

console.log(JSON.stringify(await main()));
process.exit(0);
