import type { Server } from "./server.ts";

/** Whether a node can serve writes, and why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
}

export function readinessOf(server: Server, isStopping: boolean): Readiness {
  const reason = obstacle(server, isStopping);
  return { ready: reason === "", reason };
}

function obstacle(server: Server, isStopping: boolean): string {
  if (isStopping) return "stopping";
  if (server.isDiskFull) return "disk full";
  if (server.leadership.leader === 0) return "no leader";
  const { applied, commit } = server.driver.raft.status();
  return applied < commit || applied === 0 ? "applying the log" : "";
}
