import type { SimNode } from "./sim_node.ts";
import type { World } from "./world.ts";

/** Which nodes a cluster can do without. */
export class Spares {
  readonly #world: World;
  /** How many voters stay, whoever leaves. */
  readonly #votersMin: number;

  constructor(world: World, votersMin: number) {
    this.#world = world;
    this.#votersMin = votersMin;
  }

  /** Nodes that the cluster counts on; undefined while that changes. */
  voters(): readonly number[] | undefined {
    const configuration = this.#world.truth.configuration;
    if (configuration === undefined || configuration.votersOutgoing.length > 0) return undefined;
    const isSettled = this.#world.nodes.every((node) => {
      if (!configuration.voters.includes(node.ids[node.ids.length - 1])) return true;
      // One that is down may come back with a change in its log that is not committed.
      const own = node.server?.driver.raft.status().configuration;
      return own !== undefined && own.voters.join() === configuration.voters.join();
    });
    return isSettled ? configuration.voters : undefined;
  }

  /** The voters beside this node; undefined when one of them is lost, or may be. */
  #othersOf(node: SimNode): readonly number[] | undefined {
    const others = this.voters()?.filter((id) => id !== node.ids[node.ids.length - 1]);
    const areThere = others?.every((id) =>
      this.#world.nodes.some((each) =>
        each.ids[each.ids.length - 1] === id && !each.isRetired && !each.isDamaged
      )
    );
    return areThere ? others : undefined;
  }

  /** Whether the cluster can do without this node for ever, though it counts on it. */
  isSpare(node: SimNode): boolean {
    const others = this.#othersOf(node);
    return others !== undefined && others.length >= 2 &&
      others.length > this.voters()!.length / 2;
  }

  /** Whether this node may be removed, as one that lives until that is done. */
  mayLeave(node: SimNode): boolean {
    return (this.#othersOf(node)?.length ?? 0) >= this.#votersMin;
  }
}
