import type { RunningServer, ServeConfig } from "../src/server/config.ts";
import { hostPort } from "../src/runtime/listen_error.ts";

/** The line that says a client may start. */
export const READY_TEXT = "balsa is ready to accept connections";

/** What a start prints: a line for each listener, then lines to paste. No secrets. */
export function listenerLines(
  config: ServeConfig,
  server: Pick<RunningServer, "respAddress" | "httpAddress" | "peerAddress">,
): string[] {
  const resp = server.respAddress;
  const http = server.httpAddress;
  const lines = [`RESP on ${hostPort(resp.host, resp.port)}`];
  if (http !== undefined) lines.push(`HTTP on http://${hostPort(http.host, http.port)}`);
  const { host, port } = server.peerAddress;
  lines.push(`peers on ${hostPort(host, port)}`);
  const auth = config.password === "" ? "" : " -a PASSWORD";
  lines.push("", `  redis-cli -h ${pasteHost(resp.host)} -p ${resp.port}${auth} SET hello world`);
  if (http !== undefined) {
    const bearer = config.token === "" ? "" : "-H 'Authorization: Bearer TOKEN' ";
    lines.push(`  curl ${bearer}http://${hostPort(pasteHost(http.host), http.port)}/get/hello`);
  }
  lines.push("");
  return lines;
}

/** An address to connect to, where the listener's own means "any". */
function pasteHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}
