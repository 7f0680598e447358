import type { HuntsOptions } from "./hunts.ts";
import type { SimNode } from "./sim_node.ts";

const LOOKS = 2000;

/**
 * A leader that is removed leaves the other one of two voters alone: as soon as that one knows so it
 * is started anew, and does not reach its leader, who still leads, by a lease.
 */
export function loneVoter(options: HuntsOptions, leader: SimNode, other: SimNode): void {
  const { world, crash, later } = options;
  const isAlone = () => {
    const { voters, votersOutgoing } = other.server?.driver.raft.status().configuration ??
      { voters: [], votersOutgoing: [] };
    return voters.join() === String(other.id) && votersOutgoing.length === 0;
  };
  const look = (left: number) => {
    if (left === 0 || leader.server?.leadership.isLeader !== true) return;
    if (!isAlone()) return later(1, () => look(left - 1));
    world.note(`hunt: ${other.name} is to be alone`);
    world.network.cut(other.name, leader.name);
    crash(other, false);
    later(options.electionTimeoutMs * 2, () => world.network.heal());
  };
  look(LOOKS);
}
