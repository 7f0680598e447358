import type { RoleView } from "../commands/local_context.ts";
import type { Server } from "./server.ts";

/**
 * This node's part in replication, in the words of ROLE and INFO. Every node takes every command,
 * so "slave" only says who leads. Addresses are those of the peer listeners; offsets log indexes.
 */
export function roleOf(server: Server): RoleView {
  const { configuration, peers, applied, commit } = server.driver.raft.status();
  const { isLeader, leader } = server.leadership;
  if (isLeader) {
    const replicas = peers.map(({ id, match }) => ({
      ...splitPeerAddress(configuration.addresses[id] ?? ""),
      offset: match,
    }));
    return { role: "master", offset: applied, replicas };
  }
  const { host, port } = splitPeerAddress(configuration.addresses[leader] ?? "");
  const state = leader === 0 ? "connect" : applied < commit ? "sync" : "connected";
  return { role: "slave", leaderHost: host, leaderPort: port, state, offset: applied };
}

function splitPeerAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, Math.max(0, at)), port: Number(address.slice(at + 1)) || 0 };
}
