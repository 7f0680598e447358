// Serves an application with short limits, on whichever runtime this is started with.
import process from "node:process";
import { makeHttpApp } from "../../src/listeners/http_listener.ts";
import { serveHttp } from "../../src/runtime/runtime.ts";
import { Monitors } from "../../src/server/monitors.ts";
import { PubSub } from "../../src/server/pubsub.ts";
import { fakeExecutor } from "./http_fake_app.ts";

const executor = {
  ...fakeExecutor({ reason: "" }),
  pubsub: new PubSub(),
  monitors: new Monitors(() => 0, () => {}),
};
const app = makeHttpApp(executor, {
  tokens: [],
  bodyBytesMax: 4_000_000,
  bodyTimeoutMs: 400,
  streamsMax: 3,
  heartbeatMs: 200,
});
const server = await serveHttp({
  host: "127.0.0.1",
  port: 0,
  idleTimeoutMs: 1000,
  fetch: (request, connection) => app.fetch(request, connection),
});
console.log(server.port);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
