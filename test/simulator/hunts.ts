import type { Prng } from "../../src/base/prng.ts";
import type { Session } from "../../src/server/session.ts";
import { SimClient } from "./sim_client.ts";
import type { SimNode } from "./sim_node.ts";
import type { HuntedKind, Workload } from "./workload.ts";
import type { World } from "./world.ts";

export interface HuntsOptions {
  readonly world: World;
  readonly workload: Workload;
  readonly random: Prng;
  readonly electionTimeoutMs: number;
  /** Leases are promised to hold. */
  readonly areClocksFair: boolean;
  /** Runs a part of a hunt later, unless faults are over. */
  readonly later: (delayMs: number, run: () => void) => void;
  readonly crash: (node: SimNode, isPowerLost: boolean) => void;
  readonly snapshot: (node: SimNode) => void;
}

/** Ways in which a leader loses its followers. */
const WAYS = [
  "alone",
  "deaf",
  "mute",
  "stopped",
  "stopped",
  "late answers",
  "hands over",
  "hands over",
  "hands over late",
  "usurped",
  "usurped",
  "forgotten",
  "forgotten",
] as const;

/** Faults with clients about them that look just where something would show. */
export class Hunts {
  readonly #options: HuntsOptions;
  #isReigning = false;

  constructor(options: HuntsOptions) {
    this.#options = options;
  }

  /**
   * A leader is cut off, stopped or handed over, and read from all the time, while others are
   * written to: it must never answer what is no longer so.
   */
  oldLeader(): boolean {
    const { world, random, electionTimeoutMs, areClocksFair } = this.#options;
    const leader = this.#leader();
    if (leader === undefined || world.nodes.length < 3) return false;
    const way = WAYS[random.below(WAYS.length)];
    world.note(`hunt: ${leader.name} leads, then ${way}`);
    const hasRival = way === "usurped" || way === "forgotten";
    const isLong = hasRival || ["late answers", "hands over late", "stopped"].includes(way);
    const forMs = electionTimeoutMs * ((isLong ? 4 : 1.5) + random.next() * 2);
    // What is written meanwhile a rival would lack, who then could not win.
    const quietMs = hasRival ? electionTimeoutMs * 3 : 0;
    world.quietUntilMs = world.scheduler.nowMs + quietMs;
    this.#loses(leader, way, forMs);
    const isLease = areClocksFair && random.next() < 0.7;
    const everyMs = 2 + random.next() * 10;
    const read = () => this.#send(leader, "read", isLease ? "lease" : "linearizable");
    for (let atMs = 0; atMs < forMs; atMs += everyMs) {
      this.#options.later(atMs, read);
      if (atMs < quietMs) continue;
      this.#options.later(atMs + random.next() * everyMs, () => this.#writeBeside(leader));
    }
    return true;
  }

  /**
   * Leaders one after the other each for moments only, with few to hear them: entries of many terms
   * stand on some disks and not on others (figure 8 of the paper).
   */
  shortReigns(): boolean {
    const { world, random } = this.#options;
    if (this.#isReigning || world.nodes.length < 3) return false;
    this.#isReigning = true;
    let left = 3 + random.below(8);
    let last = 0;
    const look = () => {
      const leader = this.#leader();
      const term = leader?.server?.driver.raft.status().term ?? 0;
      if (leader !== undefined && term !== last) {
        last = term;
        left--;
        this.#options.later(random.next() ** 2 * 40, () => this.#endReign(leader));
      }
      if (left === 0) this.#isReigning = false;
      else this.#options.later(5, look);
    };
    look();
    return true;
  }

  /**
   * What a leader takes reaches nobody in time, and it is writing that still as the next one cuts
   * it off. No connection ends over it.
   */
  cutOff(): boolean {
    const { world } = this.#options;
    const leader = this.#leader();
    if (leader === undefined || world.nodes.length < 3) return false;
    this.#cutOff(leader);
    return true;
  }

  #cutOff(leader: SimNode): void {
    const { world, random, later, electionTimeoutMs } = this.#options;
    world.note(`hunt: ${leader.name} is to be cut off`);
    for (const { name } of world.nodes) {
      if (name !== leader.name) world.network.slow(leader.name, name, 4 * electionTimeoutMs);
    }
    leader.machine.rules.stallMs = 20 * electionTimeoutMs;
    for (let left = 1 + random.below(4); left > 0; left--) {
      later(random.next() * 60, () => this.#send(leader, "write", "linearizable"));
    }
    for (let atMs = electionTimeoutMs; atMs < 4 * electionTimeoutMs; atMs += 40) {
      later(atMs, () => this.#writeBeside(leader));
    }
    later(5 * electionTimeoutMs, () => {
      leader.machine.rules.stallMs = 0;
      world.network.heal();
    });
  }

  /**
   * One is away until the log that it lacks is gone: it needs a snapshot. A leader takes writes
   * meanwhile that are never committed, and has more of them than the snapshot covers.
   */
  leftBehind(): boolean {
    const { world, workload, random } = this.#options;
    const leader = this.#leader();
    if (leader === undefined) return false;
    const away = random.next() < 0.4 ? leader : world.nodes[random.below(world.nodes.length)];
    world.note(`hunt: ${away.name} is left behind`);
    const cut = () => {
      for (const other of world.nodes) this.#cut(away, other);
    };
    if (away !== leader && random.next() < 0.9) {
      // Some wait there for what others get meanwhile, or are given without its knowledge.
      for (let left = 4; left > 0; left--) this.#wait(away, "wait");
      this.#options.later(60, cut);
      for (let left = 4; left > 0; left--) {
        this.#options.later(100 + random.next() * 200, () => this.#wait(leader, "push"));
      }
    } else cut();
    if (away === leader) {
      // Some may be under way still when the snapshot is there.
      if (random.next() < 0.5) away.machine.rules.stallMs = 3000;
      // In one row of its log, or in several.
      for (let left = 5 + random.below(20), atMs = 0; left > 0; left--) {
        if (random.next() < 0.4) atMs += random.next() * 10;
        this.#options.later(atMs, () => this.#send(away, "write", "linearizable"));
      }
    }
    const other = world.nodes[random.below(world.nodes.length)];
    if (other !== away) {
      const send = SimClient.stream(world, workload, other, "linearizable");
      this.#options.later(100, () => {
        send(workload.hunted("write", "linearizable"));
        send(workload.hunted("replicas", "linearizable"));
      });
    }
    const electionMs = away === leader ? this.#options.electionTimeoutMs * 3 : 0;
    const forMs = electionMs + 300 + random.next() * 1200;
    // Of the others' a few only, so that their snapshot ends amid what a leader has.
    if (away === leader) world.quietUntilMs = world.scheduler.nowMs + forMs + 100;
    const writes = away === leader ? random.below(3) : 4;
    for (let i = 0; i < writes; i++) {
      this.#options.later(forMs * (i + 1) / 5, () => this.#writeBeside(away));
    }
    this.#options.later(forMs, () => {
      for (const node of world.nodes) if (node !== away) this.#options.snapshot(node);
    });
    const healMs = forMs + 200 + random.next() * 200;
    this.#options.later(healMs, () => world.network.heal());
    this.#options.later(healMs + 300, () => away.machine.rules.stallMs = 0);
    return true;
  }

  /** A database is emptied again and again, while what was in it before is being written. */
  emptied(): boolean {
    const { nodes } = this.#options.world;
    const { random } = this.#options;
    const node = nodes[random.below(nodes.length)];
    const forMs = 100 + random.next() * 400;
    for (let atMs = 0; atMs < forMs; atMs += 2 + random.next() * 30) {
      const kind = random.next() < 0.4 ? "empty" : "fill";
      this.#options.later(atMs, () => this.#send(node, kind, "linearizable"));
    }
    return true;
  }

  /** What a client watches comes and goes again before its transaction begins. */
  comeAndGone(): boolean {
    const { world, workload, random, later } = this.#options;
    const { nodes } = world;
    const { watch, changes, transaction } = workload.comeAndGone();
    const any = () => nodes[random.below(nodes.length)];
    const send = SimClient.stream(world, workload, any(), "linearizable");
    const change = SimClient.stream(world, workload, any(), "linearizable");
    send(watch);
    later(20 + random.next() * 50, () => changes.forEach(change));
    later(100 + random.next() * 100, () => transaction.forEach(send));
    return true;
  }

  /** A request with an idempotency key is sent again all the time, until it is forgotten. */
  repeated(): boolean {
    const { world, workload, random, later } = this.#options;
    const { nodes } = world;
    const operation = workload.repeated(30 + random.below(200));
    for (let atMs = 0; atMs < 500; atMs += 3 + random.next() * 20) {
      later(atMs, () => {
        SimClient.once(world, workload, nodes[random.below(nodes.length)], { ...operation });
      });
    }
    return true;
  }

  /**
   * Many wait for one list as nodes are lost, and some elements come: each is given to the first of
   * those that are still there.
   */
  waiters(): boolean {
    const { world, random, later, crash } = this.#options;
    const { nodes } = world;
    const any = () => nodes[random.below(nodes.length)];
    const lost = any();
    if (random.next() < 0.3) this.#clog(lost);
    for (let left = 3 + random.below(4); left > 0; left--) {
      later(random.next() * 60, () => this.#wait(random.next() < 0.5 ? any() : lost, "wait"));
    }
    later(80 + random.next() * 100, () => {
      if (random.next() < 0.4) return crash(lost, false);
      // What it asks for as it is back comes late: by then a time may be over.
      const slowMs = random.next() < 0.4 ? random.next() * 400 : 0;
      for (const { name } of nodes) {
        if (name !== lost.name) world.network.slow(lost.name, name, slowMs);
      }
      // Of a connection that has broken its other end knows at once, of a cut after seconds.
      if (random.next() < 0.7) { for (const socket of lost.process?.sockets ?? []) socket.reset(); }
      else for (const other of nodes) this.#cut(lost, other);
      later(random.next() ** 2 * 3000, () => world.network.heal());
    });
    for (let left = 1 + random.below(3); left > 0; left--) {
      later(100 + random.next() * 400, () => this.#wait(any(), "push"));
    }
    return true;
  }

  /** One that comes to lead is read from on one connection, in whose order it answers. */
  newLeader(): boolean {
    const { world, workload, random, later, electionTimeoutMs, areClocksFair } = this.#options;
    const leader = this.#leader();
    const next = world.nodes[random.below(world.nodes.length)];
    if (leader === undefined || next === leader || next.id === 0) return false;
    const level = areClocksFair ? "lease" : "linearizable";
    const send = SimClient.stream(world, workload, next, level);
    later(random.next() * 20, () => {
      leader.process?.enter(() => {
        leader.server?.transferLeader(next.id);
      });
    });
    const everyMs = 0.5 + random.next() * 4;
    for (let atMs = 0; atMs < electionTimeoutMs; atMs += everyMs) {
      later(atMs, () => send(workload.hunted("read", level)));
      if (random.next() < 0.2) later(atMs, () => this.#writeBeside(next));
    }
    return true;
  }

  /** One or two lag behind as others are asked how many have what was written. */
  lagging(leader: SimNode, learner?: SimNode): boolean {
    const { world, workload, random, later } = this.#options;
    const { nodes, network } = world;
    const others = nodes.filter((node) => node !== leader);
    if (others.length < 2) return false;
    const lagging = [
      others[random.below(others.length)],
      ...learner === undefined ? [] : [learner],
    ];
    for (const { name } of lagging) {
      world.note(`hunt: ${name} lags`);
      for (const other of nodes) if (other.name !== name) network.cut(other.name, name);
    }
    for (const node of nodes) {
      if (lagging.includes(node)) continue;
      for (let left = 3; left > 0; left--) {
        const send = SimClient.stream(world, workload, node, "linearizable");
        later(random.next() * 200, () => {
          send(workload.hunted("write", "linearizable"));
          send(workload.hunted("replicas", "linearizable"));
        });
      }
    }
    later(300 + random.next() * 1000, () => network.heal());
    return true;
  }

  /** Clients of one node keep the same keys, which change: each is told. */
  tracked(): boolean {
    const { world, workload, random, later, areClocksFair } = this.#options;
    const node = world.nodes[random.below(world.nodes.length)];
    const level = areClocksFair ? "lease" : "linearizable";
    for (let left = 2 + random.below(2); left > 0; left--) {
      const send = SimClient.stream(world, workload, node, level, true);
      for (let atMs = 0; atMs < 500; atMs += 5 + random.next() * 50) {
        later(atMs, () => send(workload.hunted("read", level)));
        if (random.next() < 0.5) later(atMs, () => this.#writeBeside(node));
      }
    }
    return true;
  }

  /** A leader is lost as the members change: whoever follows it needs both halves. */
  amidChange(leader: SimNode): void {
    const { world, random, later } = this.#options;
    if (world.nodes.length < 3) return;
    world.note(`hunt: ${leader.name} changes the members`);
    later(random.next() * 15, () => this.#endReign(leader));
    // They count by members that may not be in effect yet.
    for (const node of world.nodes) {
      if (node !== leader) later(random.next() * 60, () => this.#send(node, "replicas", "stale"));
    }
  }

  /** What a leader takes on from now comes to nothing. */
  unheard(leader: SimNode): void {
    const { world, random, later, electionTimeoutMs } = this.#options;
    world.note(`hunt: ${leader.name} is unheard`);
    for (const other of world.nodes) this.#cut(leader, other);
    const forMs = electionTimeoutMs * (2 + random.next() * 3);
    later(forMs, () => world.network.heal());
    if (random.next() < 0.5) return;
    // It learns at once of its successor and of what that one has done.
    const { process } = leader;
    const untilMs = world.scheduler.nowMs + forMs + random.next() * 300;
    later(1 + random.next() * 10, () => process?.block(untilMs));
  }

  /** The leader has as much under way as it may: what others send it next has to wait there. */
  #clog(lost: SimNode): void {
    const { world, random, later } = this.#options;
    const leader = this.#leader();
    if (leader === undefined || leader === lost) return;
    const addedMs = 150 + random.next() * 300;
    for (const { name } of world.nodes) world.network.slow(leader.name, name, addedMs);
    for (let atMs = 0; atMs < 50; atMs += 8) {
      later(atMs, () => this.#send(leader, "write", "linearizable"));
    }
  }

  /** One that joins does not hear its answer; and is removed, or asks again. */
  unheardJoiner(node: SimNode, remove: (id: number) => void): void {
    const { world, random, later, electionTimeoutMs } = this.#options;
    const isRemoved = random.next() < 0.6;
    let left = 1000;
    const look = () => {
      const leader = this.#leader();
      const configuration = leader?.server?.driver.raft.status().configuration;
      const id = configuration?.learners.find((each) =>
        configuration.addresses[each] === node.address && !node.ids.includes(each)
      );
      if (id === undefined) return left-- > 0 ? later(2, look) : undefined;
      world.note(`hunt: ${node.name} does not hear that it has joined`);
      for (const other of world.nodes) this.#cut(node, other);
      if (isRemoved) later(random.next() * 100, () => remove(id));
      later(random.next() * 3 * electionTimeoutMs, () => world.network.heal());
    };
    look();
  }

  #wait(node: SimNode, kind: "wait" | "push"): void {
    const { world, workload } = this.#options;
    SimClient.once(world, workload, node, workload.waited(kind));
  }

  #leader(): SimNode | undefined {
    const leaders = this.#options.world.nodes.filter(({ server }) => server?.leadership.isLeader);
    return leaders[this.#options.random.below(Math.max(1, leaders.length))];
  }

  #cut(a: SimNode, b: SimNode): void {
    if (a === b) return;
    this.#options.world.network.cut(a.name, b.name);
    this.#options.world.network.cut(b.name, a.name);
  }

  #loses(leader: SimNode, way: (typeof WAYS)[number], forMs: number): void {
    const { world, random, later } = this.#options;
    const { network, nodes } = world;
    const others = nodes.filter((node) => node !== leader);
    if (way === "stopped") {
      // As it goes on, clients have it look at a clock long past before it hears of its successor.
      if (random.next() < 0.7) { for (const other of others) network.cut(other.name, leader.name); }
      leader.process?.block(world.scheduler.nowMs + forMs * 0.8);
    } else if (way === "hands over") {
      const to = others[random.below(others.length)].id;
      // What it hears of its successor comes late, or not at all.
      if (random.next() < 0.3) this.#slow(leader, 20 + random.next() * 150);
      else {
        later(random.next() * 5, () => {
          for (const other of others) network.cut(other.name, leader.name);
        });
      }
      leader.process?.enter(() => {
        if (to !== 0) leader.server?.transferLeader(to);
      });
    } else if (way === "hands over late") {
      // Its successor hears of it when it has been given up.
      const to = others[random.below(others.length)];
      network.slow(leader.name, to.name, this.#options.electionTimeoutMs * (1 + random.next()));
      leader.process?.enter(() => {
        if (to.id !== 0) leader.server?.transferLeader(to.id);
      });
    } else if (way === "late answers") {
      const { electionTimeoutMs } = this.#options;
      const steps = 1 + random.below(5);
      // Step by step: at once it would miss them for so long that it steps down.
      for (let step = 1; step <= steps; step++) {
        const addedMs = step * electionTimeoutMs * 0.45;
        later(addedMs, () => this.#slow(leader, addedMs));
      }
      later(electionTimeoutMs * (1 + random.next() * 2), () => {
        for (const other of others) network.cut(leader.name, other.name);
      });
    } else if (way === "usurped" || way === "forgotten") {
      this.#standsAgainst(leader, others, way === "forgotten");
    } else {
      for (const other of others) {
        if (way !== "deaf") network.cut(leader.name, other.name);
        if (way !== "mute") network.cut(other.name, leader.name);
      }
    }
    later(forMs * (0.8 + random.next()), () => network.heal());
  }

  /**
   * One that does not hear the leader stands for election, again and again; with `areForgetful` the
   * others are started anew, and then know nothing of the leader that they have answered.
   */
  #standsAgainst(leader: SimNode, others: readonly SimNode[], areForgetful: boolean): void {
    const { world, random, later, electionTimeoutMs, crash } = this.#options;
    const { network } = world;
    const usurper = others[random.below(others.length)];
    // When all that was sent before has come.
    later(30 + random.next() * 100, () => network.cut(leader.name, usurper.name));
    if (!areForgetful) return this.#slow(leader, electionTimeoutMs * random.next() * 0.6);
    later(electionTimeoutMs * (1.2 + random.next()), () => {
      for (const other of others) {
        network.cut(leader.name, other.name);
        network.cut(other.name, leader.name);
        if (other !== usurper) crash(other, false);
      }
    });
  }

  #slow(leader: SimNode, addedMs: number): void {
    const { network, nodes } = this.#options.world;
    for (const { name } of nodes) {
      if (name !== leader.name) network.slow(name, leader.name, addedMs);
    }
  }

  #endReign(leader: SimNode): void {
    const { world, random, later } = this.#options;
    if (!leader.isUp) return;
    const chance = random.next();
    if (chance < 0.2) {
      this.#cutOff(leader);
    } else if (chance < 0.5) this.#options.crash(leader, random.next() < 0.5);
    else {
      // Some of those that it has reached lose it too.
      world.network.heal();
      const lost = world.nodes.filter((node) => node === leader || random.next() < 0.3);
      for (const node of lost) for (const other of world.nodes) this.#cut(node, other);
      later(random.next() * 600, () => world.network.heal());
    }
    this.#send(leader, "write", "linearizable");
    this.#writeBeside(leader);
  }

  #writeBeside(leader: SimNode): void {
    const { nodes } = this.#options.world;
    const node = nodes[this.#options.random.below(nodes.length)];
    if (node !== leader) this.#send(node, "write", "linearizable");
  }

  #send(node: SimNode, kind: HuntedKind, level: Session["consistency"]): void {
    const { world, workload } = this.#options;
    SimClient.once(world, workload, node, workload.hunted(kind, level));
  }
}
