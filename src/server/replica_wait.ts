import { toBuffer } from "../base/bytes.ts";
import { type Clock, sleep } from "../base/clock.ts";
import type { ClusterView } from "../commands/cluster_view.ts";
import { decodeConfiguration } from "../raft/membership.ts";
import type { NodeId } from "../raft/types.ts";
import { ErrorReply } from "../resp/reply.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";

const UNBLOCKED = new ErrorReply("UNBLOCKED client unblocked via CLIENT UNBLOCK");
/** Between two looks: at what this leader knows, and at what another one does. */
const LOOK_MS = 10;
const ASK_MS = 50;

export interface ReplicaWaitOptions {
  readonly server: Server;
  readonly cluster: ClusterView;
  readonly clock: Clock;
}

/**
 * WAIT: resolves to the number of other nodes known to hold what the session has written, once it
 * is `wanted`, at the time-out (0: never) or by CLIENT UNBLOCK. All that was answered is applied
 * here, so the applied index stands for it. In a transaction it does not wait.
 */
export async function waitForReplicas(
  options: ReplicaWaitOptions,
  session: Session,
  wanted: number,
  timeoutMs: number,
): Promise<number | ErrorReply> {
  const { server, cluster, clock } = options;
  const { index } = server.ops.applied;
  const isInTransaction = session.localRunning;
  const known = holdersHere(server, index);
  if (known >= wanted || isInTransaction) return known;
  const endMs = timeoutMs === 0 ? Infinity : clock.monotonicMs() + timeoutMs;
  let ended: "timeout" | "error" | "gone" | undefined;
  session.blocked = {
    end: (kind) => {
      const isFirst = ended === undefined;
      ended ??= kind;
      return Promise.resolve(isFirst);
    },
  };
  let count = known;
  let asking: Promise<void> | undefined;
  const nap = (delayMs: number) =>
    sleep(clock, Math.max(0, Math.min(delayMs, endMs - clock.monotonicMs())));
  try {
    for (;;) {
      const { isLeader } = server.leadership;
      if (isLeader) {
        count = holdersHere(server, index);
      } else {
        asking ??= cluster.holders(index).then((held) => {
          count = held;
          asking = undefined;
        });
        // A leader out of reach answers late or never; the client has its own time.
        await Promise.race([asking, nap(ASK_MS)]);
      }
      if (ended === "error") return UNBLOCKED;
      const isOver = ended !== undefined || clock.monotonicMs() >= endMs;
      if (count >= wanted || isOver) return count;
      await nap(isLeader ? LOOK_MS : ASK_MS);
    }
  } finally {
    session.blocked = undefined;
  }
}

/** Other nodes that hold the log up to `index`, as far as this node knows it by itself. */
export function holdersHere(server: Server, index: number): number {
  const { peers, id } = server.driver.raft.status();
  if (server.leadership.isLeader) {
    return peers.filter((peer) => peer.id !== id && peer.match >= index).length;
  }
  // What is applied is committed: a majority has it.
  const voters = votersAsOfApplied(server);
  return voters.length === 0 ? 0 : Math.floor(voters.length / 2) + (voters.includes(id) ? 0 : 1);
}

/**
 * The voters a majority of whom has what is applied; later ones may not be in effect for it yet.
 * Of joint consensus it is the new ones: the leader may have left the old ones as it was committed.
 */
function votersAsOfApplied(server: Server): readonly NodeId[] {
  const { configuration, index } = server.ops.applied;
  if (configuration !== "") return decodeConfiguration(toBuffer(configuration)).voters;
  const latest = server.driver.raft.status();
  const { voters, votersOutgoing } = latest.configuration;
  return latest.configurationIndex <= index ? voters : votersOutgoing;
}
