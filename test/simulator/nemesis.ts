import type { Prng } from "../../src/base/prng.ts";
import type { ClusterRequest } from "../../src/commands/cluster_view.ts";
import { Hunts } from "./hunts.ts";
import { RealMachine } from "./machine.ts";
import { SETTLES, type SimNode } from "./sim_node.ts";
import { Spares } from "./spares.ts";
import type { Workload } from "./workload.ts";
import type { World } from "./world.ts";

const NODES_MAX = 7;
/** A fault of one kind comes once in a time between these, on average. */
const INTERVAL_MS_MIN = 150;
const INTERVAL_MS_MAX = 4000;
const HUNTING_SHARE = 0.3;
/** Of the changes of members, how many their leader does not live to see the end of. */
const AMID_CHANGE_SHARE = 0.3;
/** Of those who join, with how many another one lags until they vote. */
const LAGGING_SHARE = 0.4;
/** Of those who join, how many do not hear at once that they have. */
const UNHEARD_SHARE = 0.25;
/** Of the seeds in which members may leave until one is left. */
const SHRINKING_SHARE = 0.2;
/** Seeds with few kinds of faults. */
const CALM_SHARE = 0.25;

const AIMED: ReadonlySet<string> = new Set([
  "snapshot received",
  "snapshot sent",
  "snapshot made",
  "snapshot installed",
  "log purged",
  SETTLES,
]);

/** How often a received snapshot fills the disk. */
const FILLING_SHARE = 0.4;
/** How often the power fails soon behind a start. */
const AGAIN_SHARE = 0.1;
const AGAIN_AIMED_SHARE = 0.6;
const AGAIN_MS_MAX = 200;

export interface NemesisOptions {
  readonly world: World;
  readonly random: Prng;
  readonly addNode: () => SimNode;
  readonly workload: Workload;
  readonly electionTimeoutMs: number;
  readonly areClocksFair: boolean;
}

/** Does to a cluster what the world does: each seed has its own selection of faults. */
export class Nemesis {
  readonly #world: World;
  readonly #random: Prng;
  readonly #options: NemesisOptions;
  readonly #hunts: Hunts;
  /** How often an event of `AIMED` is followed by a crash. */
  readonly #aimedShare: number;
  readonly #spares: Spares;
  readonly #aimed = new Set<SimNode>();
  #isOver = false;

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#hunts = new Hunts({
      ...options,
      later: (delayMs, run) => {
        options.world.scheduler.after(delayMs, () => {
          if (!this.#isOver) run();
        });
      },
      crash: (node, isPowerLost) => this.#crash(node, isPowerLost),
      snapshot: (node) => this.#snapshot(node),
    });
    this.#world = options.world;
    this.#random = options.random;
    options.world.onCrash = (node) => this.#crashed(node);
    options.world.mayRemove = (id) => {
      const node = this.#world.nodes.find(({ ids }) => ids[ids.length - 1] === id);
      return node === undefined || node.isRetired || node.isDamaged || this.#spares.mayLeave(node);
    };
    options.world.onEvent = (node, event) => this.#aim(node, event);
    this.#aimedShare = this.#random.next() < 0.6 ? this.#random.next() * 0.5 : 0;
    this.#spares = new Spares(this.#world, this.#random.next() < SHRINKING_SHARE ? 1 : 3);
    if (options.world.nodes.length < 3) this.#plan("join", 200 + this.#random.next() * 1000);
    const kinds = Object.keys(this.#faults);
    // What a few of them do takes its time where little else goes wrong.
    const share = this.#random.next() < CALM_SHARE ? 0.1 : 0.2 + this.#random.next() * 0.6;
    const random = this.#random;
    // Some seeds do little else than look at leaders that lose their followers.
    if (random.next() < HUNTING_SHARE) {
      this.#plan("hunt at an old leader", options.electionTimeoutMs * (5 + random.next() * 8));
    }
    for (const kind of kinds) {
      if (this.#random.next() >= share) continue;
      const span = INTERVAL_MS_MAX - INTERVAL_MS_MIN;
      this.#plan(kind, INTERVAL_MS_MIN + this.#random.next() ** 2 * span);
    }
  }

  /** No more faults; all that were done are undone. */
  heal(): void {
    this.#isOver = true;
    const { world } = this.#options;
    const { rules } = world.network;
    Object.assign(rules, {
      latencyMsMax: 2,
      spikeShare: 0,
      loseShare: 0,
      duplicateShare: 0,
      reorderShare: 0,
      breakShare: 0,
    });
    world.network.heal();
    world.note("all heals");
    for (const node of world.nodes) {
      Object.assign(node.machine.rules, {
        fullShare: 0,
        slowMsMax: 0,
        stallMs: 0,
        failIn: Infinity,
        crashIn: Infinity,
      });
      node.process?.unblock();
      if (!node.isUp) this.#revive(node);
    }
  }

  #plan(kind: string, intervalMs: number): void {
    this.#world.scheduler.after(intervalMs * (0.2 + this.#random.next() * 1.6), () => {
      if (this.#isOver) return;
      if (this.#faults[kind]()) this.#world.count(kind);
      this.#plan(kind, intervalMs);
    });
  }

  #after(maxMs: number, run: () => void): void {
    this.#world.scheduler.after(this.#random.next() ** 2 * maxMs, () => {
      if (!this.#isOver) run();
    });
  }

  #any(): SimNode {
    const { nodes } = this.#world;
    return nodes[this.#random.below(nodes.length)];
  }

  #leader(): SimNode | undefined {
    return this.#world.nodes.find((node) => node.server?.leadership.isLeader);
  }

  /** The leader, half of the time: faults bite there. */
  #victim(): SimNode {
    return (this.#random.next() < 0.5 ? this.#leader() : undefined) ?? this.#any();
  }

  /** Each tells whether it has done something. */
  readonly #faults: Readonly<Record<string, () => boolean>> = {
    "kill": () => this.#crash(this.#victim(), false),
    "stop": () => this.#stop(this.#victim()),
    "reload": () => this.#reload(this.#any()),
    "power loss": () => this.#crash(this.#victim(), true),
    "power loss of all": () => {
      const isPowerLost = this.#random.next() < 0.7;
      for (const node of [...this.#world.nodes]) this.#crash(node, isPowerLost);
      return true;
    },
    "crash amid a write": () => this.#armCrash(this.#victim()),
    "I/O error": () => {
      this.#victim().machine.rules.failIn = 1 + this.#random.below(20);
      return true;
    },
    "disk full": () => this.#fillDisk(this.#victim()),
    "slow disk": () => this.#slowDisk(this.#victim()),
    "pause": () => this.#pause(this.#victim()),
    "partition": () => this.#partition(),
    "one-way partition": () => this.#oneWay(this.#victim()),
    "isolation": () => this.#isolate(this.#victim()),
    "reset connections": () => this.#reset(this.#victim()),
    "slow link": () => this.#slowLink(this.#victim()),
    "clock jump": () => this.#jump(this.#victim()),
    "transfer": () => this.#request({ kind: "transfer", id: this.#any().id }),
    "snapshot": () => this.#snapshot(this.#any()),
    "join": () => this.#join(),
    "removal": () => this.#remove(this.#victim()),
    "wipe": () => this.#wipe(this.#any()),
    "wipe unseen": () => this.#wipeUnseen(),
    "hunt at an old leader": () => this.#hunts.oldLeader(),
    "short reigns": () => this.#hunts.shortReigns(),
    "emptied": () => this.#hunts.emptied(),
    "cut off": () => this.#hunts.cutOff(),
    "left behind": () => this.#hunts.leftBehind(),
    "come and gone": () => this.#hunts.comeAndGone(),
    "repeated": () => this.#hunts.repeated(),
    "waiters": () => this.#hunts.waiters(),
    "new leader": () => this.#hunts.newLeader(),
    "tracked": () => this.#hunts.tracked(),
    "lagging": () => this.#hunts.lagging(this.#leader() ?? this.#any()),
    "bit flip": () => this.#flip(this.#any()),
  };

  #crash(node: SimNode, isPowerLost: boolean): boolean {
    if (!node.isUp) return false;
    node.crash(isPowerLost && !node.machine.isReal, "by fate");
    return true;
  }

  #stop(node: SimNode): boolean {
    if (node.server === undefined) return false;
    node.process!.enter(() => node.stop());
    return true;
  }

  /** As DEBUG RELOAD: all is written, and read again when it is asked for. */
  #reload({ server, storage, process }: SimNode): boolean {
    if (server === undefined || storage === undefined) return false;
    process!.enter(() => storage.ops.reload());
    return true;
  }

  #crashed(node: SimNode): void {
    if (this.#isOver) {
      this.#world.scheduler.after(100, () => this.#revive(node));
      return;
    }
    const delayMs = this.#random.next() < 0.7 ? 100 : 3000;
    this.#after(delayMs, () => this.#revive(node));
  }

  #revive(node: SimNode): void {
    if (node.isUp) return;
    if (node.isRetired) {
      node.isRetired = false;
      this.#rejoin(node);
    } else {
      node.start();
    }
    // What the process before has left unsynced may yet be lost.
    const share = this.#aimed.delete(node) ? AGAIN_AIMED_SHARE : AGAIN_SHARE;
    if (this.#random.next() < share) this.#after(AGAIN_MS_MAX, () => this.#crash(node, true));
  }

  /** Now and then a machine dies just behind what there is little time behind. */
  #aim(node: SimNode, event: string): void {
    const isPromotion = event === "learner has caught up and becomes a voter";
    if (isPromotion && !this.#isOver && this.#random.next() < AMID_CHANGE_SHARE) {
      this.#hunts.amidChange(node);
    }
    if (event === "joined as a learner" && !this.#isOver && this.#random.next() < LAGGING_SHARE) {
      this.#after(300, () => this.#hunts.lagging(this.#leader() ?? this.#any(), node));
    }
    if (this.#isOver || !AIMED.has(event) || node.machine.isReal) return;
    if (event === "snapshot received" && this.#random.next() < FILLING_SHARE) {
      this.#fillDisk(node);
      this.#world.count("disk full by a snapshot");
    }
    // What is received is installed next: the steps of that are few and rare.
    const isRare = event === "snapshot received" || event === SETTLES;
    const share = isRare ? 0.15 + this.#aimedShare : this.#aimedShare;
    if (this.#random.next() >= share) return;
    this.#aimed.add(node);
    node.machine.rules.crashLosesPower = this.#random.next() < 0.5;
    node.machine.rules.crashIn = 1 + this.#random.below(8);
    this.#world.count("crash aimed at an event");
  }

  #armCrash(node: SimNode): boolean {
    const { rules } = node.machine;
    rules.crashLosesPower = this.#random.next() < 0.5;
    rules.crashIn = 1 + this.#random.below(this.#random.next() < 0.5 ? 5 : 60);
    return !node.machine.isReal;
  }

  #fillDisk(node: SimNode): boolean {
    // Here and there a file is deleted, and a write finds room.
    node.machine.rules.fullShare = this.#random.next() < 0.5 ? 1 : 0.6;
    this.#world.note(`${node.name}: disk full`);
    this.#after(3000, () => {
      node.machine.rules.fullShare = 0;
      this.#world.note(`${node.name}: disk has room`);
    });
    return !node.machine.isReal;
  }

  #slowDisk(node: SimNode): boolean {
    const { rules } = node.machine;
    if (this.#random.next() < 0.5) rules.slowMsMax = this.#random.next() * 60;
    else rules.stallMs = this.#random.next() * 1000;
    this.#after(2000, () => rules.slowMsMax = rules.stallMs = 0);
    return !node.machine.isReal;
  }

  #pause(node: SimNode): boolean {
    if (!node.isUp) return false;
    const forMs = this.#random.next() ** 2 * 3000;
    this.#world.note(`${node.name} is stopped for ${forMs.toFixed(0)} ms`);
    node.process!.block(this.#world.scheduler.nowMs + forMs);
    return true;
  }

  #partition(): boolean {
    const { nodes, network } = this.#world;
    const sides = nodes.map(() => this.#random.next() < 0.5);
    for (const [i, a] of nodes.entries()) {
      for (const [j, b] of nodes.entries()) {
        if (sides[i] !== sides[j]) network.cut(a.name, b.name);
      }
    }
    this.#world.note(`partition: ${nodes.filter((_, i) => sides[i]).map((n) => n.name)}`);
    this.#healLater();
    return sides.includes(true) && sides.includes(false);
  }

  #oneWay(node: SimNode): boolean {
    const isDeaf = this.#random.next() < 0.5;
    for (const other of this.#world.nodes) {
      if (other === node || this.#random.next() < 0.3) continue;
      if (isDeaf) this.#world.network.cut(other.name, node.name);
      else this.#world.network.cut(node.name, other.name);
    }
    this.#world.note(`${node.name} is ${isDeaf ? "deaf" : "mute"}`);
    this.#healLater();
    return true;
  }

  #isolate(node: SimNode): boolean {
    for (const other of this.#world.nodes) {
      if (other === node) continue;
      this.#world.network.cut(other.name, node.name);
      this.#world.network.cut(node.name, other.name);
    }
    this.#world.note(`${node.name} is alone`);
    this.#healLater();
    return true;
  }

  #reset({ process }: SimNode): boolean {
    for (const socket of process?.sockets ?? []) if (this.#random.next() < 0.7) socket.reset();
    return process !== undefined;
  }

  #healLater(): void {
    this.#after(4000, () => {
      if (this.#world.network.hasCuts) this.#world.note("the network heals");
      this.#world.network.heal();
    });
  }

  #slowLink(node: SimNode): boolean {
    const other = this.#any();
    const addedMs = this.#random.next() * 150;
    this.#world.network.slow(node.name, other.name, addedMs);
    if (this.#random.next() < 0.5) this.#world.network.slow(other.name, node.name, addedMs);
    return node !== other;
  }

  #jump(node: SimNode): boolean {
    const span = this.#random.next() < 0.5 ? 1000 : 3_600_000;
    node.clockRules.wallOffsetMs = (this.#random.next() * 2 - 1) * span;
    this.#world.note(`${node.name}: the clock jumps`);
    return true;
  }

  /** Has some node carry a request to its cluster. */
  #request(request: ClusterRequest, node = this.#any()): boolean {
    const { server, core, process } = node;
    if (server === undefined || core === undefined) return false;
    this.#world.note(`${node.name} is asked: ${JSON.stringify(request)}`);
    process!.enter(() => {
      core.cluster.view(server).request(request).then((answer) => {
        this.#world.note(`${node.name} answers ${JSON.stringify(answer)}`);
        if (answer.ok) this.#world.carriedOut(request, answer.id);
      }, () => {});
    });
    return true;
  }

  #snapshot(node: SimNode): boolean {
    const { server, core, process } = node;
    if (server === undefined || core === undefined) return false;
    process!.enter(() => {
      core.cluster.view(server).snapshot().then(({ ok }) => {
        if (ok) this.#world.count("snapshot taken");
      }, () => {});
    });
    return true;
  }

  #join(): boolean {
    if (this.#world.nodes.length >= NODES_MAX) return false;
    this.#startNew(this.#options.addNode());
    return true;
  }

  /** What a node writes first comes once in its life. */
  #startNew(node: SimNode): void {
    if (this.#random.next() < UNHEARD_SHARE) {
      this.#hunts.unheardJoiner(node, (id) => {
        this.#request({ kind: "remove", id });
        this.#renew(node, id);
      });
    }
    if (this.#random.next() < 0.2) this.#armCrash(node);
    node.start();
  }

  #remove(node: SimNode): boolean {
    const id = node.id;
    if (id === 0 || !this.#spares.voters()?.includes(id) || !this.#spares.mayLeave(node)) {
      return false;
    }
    const leader = this.#leader() ?? this.#any();
    const chance = this.#random.next();
    // Before anybody hears of it, or when some have.
    if (chance < AMID_CHANGE_SHARE) this.#hunts.unheard(leader);
    else if (chance < 2 * AMID_CHANGE_SHARE) this.#hunts.amidChange(leader);
    const isAsked = this.#request({ kind: "remove", id }, leader);
    if (!isAsked) return false;
    this.#after(6000, () => {
      // It may have come back under another id meanwhile.
      if (node.id !== id || this.#world.truth.configuration?.addresses[id] !== undefined) return;
      node.crash(false, "removed");
      node.isRetired = true;
    });
    return true;
  }

  #wipe(node: SimNode): boolean {
    if (!this.#spares.isSpare(node)) return false;
    node.crash(true, "to be wiped");
    node.isRetired = true;
    return true;
  }

  /** Its leader does not hear of it, and takes it for one that is there when it is back. */
  #wipeUnseen(): boolean {
    const leader = this.#leader();
    const spare = this.#world.nodes.filter((each) =>
      each !== leader && each.id !== 0 && this.#spares.isSpare(each)
    );
    if (leader === undefined || spare.length === 0) return false;
    const node = spare[this.#random.below(spare.length)];
    this.#world.network.cut(leader.name, node.name);
    this.#world.network.cut(node.name, leader.name);
    const { scheduler, network } = this.#world;
    scheduler.after(20 + this.#random.next() * 100, () => this.#revive(node));
    scheduler.after(2000 + this.#random.next() * 3000, () => network.heal());
    return this.#wipe(node);
  }

  /** One that comes to hear that it has joined when it was removed again is to join anew. */
  #renew(node: SimNode, id: number, looks = 400): void {
    this.#world.scheduler.after(50, () => {
      const isMember = this.#world.truth.configuration?.addresses[id] !== undefined;
      if (looks > 0 && (isMember || node.id === 0)) return this.#renew(node, id, looks - 1);
      if (node.id !== id || isMember) return;
      node.crash(false, "removed");
      node.isRetired = true;
    });
  }

  #rejoin(node: SimNode): void {
    node.wipe();
    node.join = this.#world.nodes.filter((each) => each !== node).map(({ address }) => address);
    if (this.#isOver) node.start();
    else this.#startNew(node);
  }

  /** Turns a bit on the disk of a node that is down: its log must see it, or be spared. */
  #flip(node: SimNode): boolean {
    if (!this.#spares.isSpare(node) || node.machine instanceof RealMachine || node.isDamaged) {
      return false;
    }
    node.crash(true, "its disk is damaged");
    node.isDamaged = node.machine.flipBit();
    return node.isDamaged;
  }
}
