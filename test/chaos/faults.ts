import { readdirSync, readFileSync } from "node:fs";
import { until } from "../system/harness.ts";
import { RespClient } from "../system/resp_client.ts";
import type { Machine, World } from "./world.ts";

/** Something that goes wrong, or is done, under load; ends when it is over. */
export interface Fault {
  readonly run: (world: World) => Promise<void>;
  /** Whether it can be done here. */
  readonly isPossible?: (world: World) => boolean;
  /** It changes who is a member. */
  readonly changesMembers?: boolean;
}

const canCut = ({ network }: World): boolean => network !== undefined;
const canFill = ({ machines }: World): boolean => machines.every(({ disk }) => disk?.canFill);
const canLosePower = ({ machines }: World): boolean =>
  machines.every(({ disk }) => disk?.canLosePower);

export const FAULTS = {
  kill: { run: async (world) => await kill(world, [await world.victim()]) },
  kill_two: { run: (world) => kill(world, two(world)) },
  kill_all: { run: (world) => kill(world, world.machines) },
  stop: {
    run: async (world) => {
      const { node } = await world.victim();
      await node.stop();
      await world.hold(100, 500);
      world.start(node);
    },
  },
  pause: {
    run: async (world) => {
      const { node } = await world.victim();
      node.signal("SIGSTOP");
      await world.hold(300, 2500);
      node.signal("SIGCONT");
    },
  },
  transfer: { run: (world) => command(world, "RAFT.TRANSFER_LEADER") },
  snapshot: { run: (world) => command(world, "RAFT.SNAPSHOT") },
  isolate: { isPossible: canCut, run: (world) => cut(world, true, true) },
  isolate_in: { isPossible: canCut, run: (world) => cut(world, true, false) },
  isolate_out: { isPossible: canCut, run: (world) => cut(world, false, true) },
  cut_pair: {
    isPossible: canCut,
    run: async (world) => {
      const [a, b] = two(world);
      world.network!.cut(a.number, b.number);
      world.network!.cut(b.number, a.number);
      await heal(world);
    },
  },
  split: {
    isPossible: canCut,
    run: async (world) => {
      const few = two(world);
      for (const a of few) {
        for (const b of world.machines.filter((machine) => !few.includes(machine))) {
          world.network!.cut(a.number, b.number);
          world.network!.cut(b.number, a.number);
        }
      }
      await heal(world);
    },
  },
  power: {
    isPossible: canLosePower,
    run: async (world) => await losePower(world, [await world.victim()]),
  },
  power_all: { isPossible: canLosePower, run: (world) => losePower(world, world.machines) },
  disk_full: {
    isPossible: canFill,
    run: async (world) => {
      const { disk } = await world.victim();
      disk!.fill();
      await world.hold(1000, 2500);
      disk!.free();
    },
  },
  replace: {
    changesMembers: true,
    run: async (world) => {
      await world.add();
      await world.remove(await world.victim());
    },
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

/** Kinds of faults as they are counted: of kill -9, pauses, partitions and so on. */
export const KINDS: Readonly<Record<string, readonly FaultName[]>> = {
  "kill -9": ["kill", "kill_two", "kill_all"],
  "pauses": ["pause"],
  "partitions": ["isolate", "isolate_in", "isolate_out", "cut_pair", "split"],
  "power losses": ["power", "power_all"],
  "full disks": ["disk_full"],
  "membership changes": ["replace"],
};

function two(world: World): [Machine, Machine] {
  const first = world.pick(world.machines);
  return [first, world.pick(world.machines.filter((machine) => machine !== first))];
}

async function kill(world: World, machines: readonly Machine[]): Promise<void> {
  await Promise.all(machines.map(({ node }) => node.kill9()));
  await world.hold(50, 700);
  for (const { node } of machines) world.start(node);
}

/**
 * Stands still first: an fsync that is under way while ext4 is shut down may be told to be done
 * although what it was for is lost, which no disk does.
 */
async function losePower(world: World, machines: readonly Machine[]): Promise<void> {
  for (const { node } of machines) node.signal("SIGSTOP");
  await until(() => machines.every(({ node }) => standsStill(node.pid)), "nodes that stand still");
  for (const { disk } of machines) disk!.cutPower();
  await Promise.all(machines.map(({ node }) => node.kill9()));
  for (const { disk } of machines) disk!.restorePower();
  await world.hold(50, 500);
  for (const { node } of machines) world.start(node);
}

/** Whether no thread of a process runs or is in a system call; true when there is none. */
function standsStill(pid: number): boolean {
  if (pid === 0) return true;
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1");
      return /[TZX]/.test(stat[stat.lastIndexOf(")") + 2]);
    });
  } catch {
    // A thread, or the process, has just ended.
    return false;
  }
}

/** Cuts a node off: what is sent to it, or what it sends, or both. */
async function cut(world: World, isIn: boolean, isOut: boolean): Promise<void> {
  const { number } = await world.victim();
  for (const other of world.machines) {
    if (other.number === number) continue;
    if (isIn) world.network!.cut(other.number, number);
    if (isOut) world.network!.cut(number, other.number);
  }
  await heal(world);
}

async function heal(world: World): Promise<void> {
  await world.hold(500, 3500);
  world.network!.heal();
}

/** Asks some node; what it answers does not matter, it may have no leader. */
async function command(world: World, ...argv: string[]): Promise<void> {
  const { node } = world.pick(world.machines);
  const client = await RespClient.open(node.port, node.host).catch(() => undefined);
  await client?.command(...argv).catch(() => {});
  client?.close();
}
