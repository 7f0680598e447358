import { connect } from "node:net";
import { createInterface } from "node:readline";
import process from "node:process";

// A process beside the load: how late its own bare timer loop is, which is the machine's doing, and
// how long a PING of its takes. Prints both maxima, as JSON, for each line that it reads, and begins
// anew. Argument: the server's port.

const TICK_MS = 10;
const PING_EACH_MS = 2;
const PING = "*1\r\n$4\r\nPING\r\n";

let tickMs = performance.now();
let lateMs = 0;
let sentMs: number | undefined;
let pingMs = 0;

const socket = connect({ port: Number(process.argv[2]), host: "127.0.0.1" });
socket.setNoDelay(true);
const ping = () => {
  sentMs = performance.now();
  socket.write(PING);
};
socket.on("connect", ping);
socket.on("data", () => {
  pingMs = Math.max(pingMs, performance.now() - (sentMs ?? Infinity));
  sentMs = undefined;
  setTimeout(ping, PING_EACH_MS);
});
setInterval(() => {
  const nowMs = performance.now();
  lateMs = Math.max(lateMs, nowMs - tickMs - TICK_MS);
  tickMs = nowMs;
}, TICK_MS);
const lines = createInterface({ input: process.stdin });
lines.on("line", () => {
  // One that is still on its way counts for as long as it has been.
  if (sentMs !== undefined) pingMs = Math.max(pingMs, performance.now() - sentMs);
  console.log(JSON.stringify({ lateMs, pingMs }));
  lateMs = pingMs = 0;
});
lines.on("close", () => process.exit(0));
