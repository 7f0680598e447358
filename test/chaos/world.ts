import { join } from "node:path";
import type { Prng } from "../../src/base/prng.ts";
import { ClusterNode, distinctPort, TestCluster } from "../system/cluster_harness.ts";
import { balsaCommand, type Runtime, scratchDirectory, sleep, until } from "../system/harness.ts";
import { RespClient, RespError } from "../system/resp_client.ts";
import { type Disk, Disks } from "./disks.ts";
import { makeNetwork, type Network, type Place } from "./network.ts";

export interface WorldOptions {
  readonly nodes: number;
  readonly random: Prng;
  readonly runtimes: readonly Runtime[];
  /** Without: all on 127.0.0.1 in plain directories; no partition, power loss, full disk. */
  readonly isWhole: boolean;
  /** Partitions by proxies, also where there could be network namespaces. */
  readonly useProxies?: boolean;
  readonly log: (text: string) => void;
}

/** For what must happen: a machine with other work is slow, and a run must not fail by that. */
export const PATIENCE_MS = 120_000;

/** A node, its disk and its place in the network. */
export interface Machine {
  readonly node: ClusterNode;
  readonly number: number;
  readonly disk: Disk | undefined;
}

/** Where a node is to run. */
interface Site {
  readonly place: Place;
  readonly number: number;
  readonly port: number;
  readonly peerPort: number;
  readonly args: readonly string[];
  /** Where the others reach it. */
  readonly address: string;
}

/** Longer than an election, shorter than what a cluster without a majority stays so. */
const REQUEST_TIMEOUT_MS = 2000;
/** So little of a log is purged soon: snapshots are sent. */
const LOG_BYTES = 256 * 1024;
const HERE: Place = {
  host: "127.0.0.1",
  wrapper: [],
  args: () => Promise.resolve([]),
  address: (peerPort) => `127.0.0.1:${peerPort}`,
};

/** The machines of a cluster under test. */
export class World {
  readonly machines: Machine[] = [];
  readonly network: Network | undefined;
  readonly disks: Disks | undefined;
  /** How often a node was started, by runtime. */
  readonly runs = new Map<Runtime, number>();
  readonly #options: WorldOptions;
  readonly #random: Prng;
  readonly #earlier: ClusterNode[] = [];
  /** Addresses by node, as the others know it. */
  readonly #addresses = new Map<ClusterNode, string>();
  #made = 0;

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.#random = options.random;
    if (!options.isWhole) return;
    this.network = makeNetwork(options.log, options.useProxies ?? false);
    this.disks = new Disks(options.log);
  }

  /** Makes machines that found a cluster, and waits for its first leader. */
  static async start(options: WorldOptions): Promise<World> {
    const world = new World(options);
    const places = [];
    const used: number[] = [];
    for (let i = 0; i < options.nodes; i++) places.push(await world.#place(used));
    const peers = places.map(({ address }) => address).join();
    const founding = ["--bootstrap-expect", String(options.nodes), "--join", peers];
    for (const each of places) world.#make(each, founding);
    for (const { node } of world.machines) world.start(node);
    await world.cluster.leader();
    return world;
  }

  /** The nodes that belong to the cluster now. */
  get cluster(): TestCluster {
    return new TestCluster(this.machines.map(({ node }) => node));
  }

  /** What all nodes have printed. */
  get output(): string {
    const nodes = [...this.#earlier, ...this.machines.map(({ node }) => node)];
    return nodes.map((node) => `--- ${this.nameOf(node)}\n${node.output}`).join("\n");
  }

  nameOf(node: ClusterNode): string {
    return `${this.#addresses.get(node)} (${node.runtime})`;
  }

  /** Starts a node on one of the runtimes. */
  start(node: ClusterNode): void {
    const { runtimes } = this.#options;
    node.runtime = runtimes[this.#random.below(runtimes.length)];
    this.runs.set(node.runtime, (this.runs.get(node.runtime) ?? 0) + 1);
    node.start();
  }

  pick<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)];
  }

  /** A machine: the leader's half of the time, when there is one. */
  async victim(): Promise<Machine> {
    const leader = await this.cluster.findLeader();
    const isLeader = this.#random.below(2) === 0;
    const found = this.machines.find(({ node }) => node === leader);
    if (isLeader && found !== undefined) return found;
    return this.pick(this.machines.filter((machine) => machine !== found));
  }

  /** Milliseconds from `min` to `max`. */
  async hold(min: number, max: number): Promise<void> {
    await sleep(min + this.#random.below(max - min + 1));
  }

  /** A node joins, and becomes a voter. */
  async add(): Promise<void> {
    const used = this.machines.flatMap(({ node }) => [node.port, node.peerPort]);
    const members = this.machines.map(({ node }) => this.#addresses.get(node)).join();
    const machine = this.#make(await this.#place(used), ["--join", members]);
    this.start(machine.node);
    await this.#votersBecome(this.machines.length);
  }

  /** A machine is removed from the cluster; it ends, and its disk goes. */
  async remove({ node, disk }: Machine): Promise<void> {
    const id = (await node.info())?.raft_node_id;
    const others = this.machines.filter((machine) => machine.node !== node);
    await until(
      async () => {
        const client = await RespClient.open(others[0].node.port, others[0].node.host);
        const reply = await client.command("RAFT.NODE", "REMOVE", id ?? "").catch(() => null);
        client.close();
        // Its outcome may be unknown: it is asked for until it is no member.
        return reply === "OK" ||
          (reply instanceof RespError && /is no member/.test(reply.text));
      },
      `${this.nameOf(node)} to be removed`,
      PATIENCE_MS,
    );
    this.machines.splice(this.machines.findIndex((machine) => machine.node === node), 1);
    this.#earlier.push(node);
    await node.stop();
    disk?.close();
    await this.#votersBecome(this.machines.length);
  }

  /** Ends everything that was made. */
  async close(): Promise<void> {
    await Promise.all(this.machines.map(({ node }) => node.kill9()));
    this.network?.close();
    this.disks?.close();
  }

  async #votersBecome(count: number): Promise<void> {
    let seen = "";
    await until(
      async () => {
        const info = await (await this.cluster.findLeader())?.info();
        seen = `${info?.raft_voters} voters`;
        return info?.raft_voters === String(count) && info.raft_learners === "0";
      },
      `${count} voters; there are ${seen}`,
      PATIENCE_MS,
    );
  }

  async #place(used: number[]): Promise<Site> {
    const place = this.network?.place(this.#made) ?? HERE;
    const [port, peerPort] = [await distinctPort(used), await distinctPort(used)];
    used.push(port, peerPort);
    const args = await place.args(peerPort);
    const address = place.address(peerPort);
    return { place, number: this.#made++, port, peerPort, args, address };
  }

  #make(
    { place, number, port, peerPort, args, address }: Site,
    joining: readonly string[],
  ): Machine {
    const disk = this.disks?.make();
    const node = new ClusterNode({
      host: place.host,
      wrapper: place.wrapper,
      port,
      peerPort,
      data: disk?.data ?? join(scratchDirectory(), "data"),
      runtime: this.#options.runtimes[0],
      args: [...joining, ...args, "--request-timeout", `${REQUEST_TIMEOUT_MS}ms`],
      env: { BALSA_TEST_LOG_BYTES: String(LOG_BYTES), BALSA_CLUSTER_SECRET: "chaos" },
    });
    this.#addresses.set(node, address);
    const machine = { node, number, disk };
    this.machines.push(machine);
    return machine;
  }
}

/** Of these runtimes those that are here. */
export function runtimesHere(names: readonly Runtime[]): Runtime[] {
  return names.filter((name) => balsaCommand(name) !== undefined);
}
