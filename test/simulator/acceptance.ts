import type { Prng } from "../../src/base/prng.ts";
import type { ClusterAnswer, ClusterRequest } from "../../src/commands/cluster_view.ts";
import { SimClient } from "./sim_client.ts";
import type { SimNode } from "./sim_node.ts";
import type { Workload } from "./workload.ts";
import type { World } from "./world.ts";

export interface AcceptanceOptions {
  readonly world: World;
  readonly workload: Workload;
  readonly random: Prng;
  readonly requestTimeoutMs: number;
  readonly addNode: () => SimNode;
  /** Has time pass until a condition; false when so much has passed before. */
  readonly within: (ms: number, isReached: () => boolean) => Promise<boolean>;
  readonly isConverged: () => boolean;
  readonly stuck: (invariant: string, detail: string) => void;
}

const LIMIT_MS = 60_000;
/** A change may meet another one, or a leader that was just elected. */
const ATTEMPTS_MAX = 4;
const READS = 8;
const READS_MS = 40;
/** As a node joins: all is sent again until it has come. */
const LOSE_SHARE_MAX = 0.1;
const FULL_MS_MAX = 1000;
/** Commands that wait begin and are over within these, and how late what is sent of them comes. */
const WAITS_MS = 60;
const WAITS_OVER_MS = 4000;
const SLOW_MS_MAX = 400;
/** Until then what was sent while links were slow has come, in election timeouts. */
const SLOW_TIMEOUTS = 5;
/** How long a leader does not hear that a machine was lost: less than its silence tells. */
const UNSEEN_MS = 4000;
/** An election is over by then. */
const ELECTION_TIMEOUTS = 8;

/** What a cluster that nothing is wrong with does for whoever asks for it. */
export class Acceptance {
  readonly #options: AcceptanceOptions;

  constructor(options: AcceptanceOptions) {
    this.#options = options;
  }

  /** Takes the steps, until one fails. */
  async run(): Promise<void> {
    const { world, random, within, isConverged, stuck } = this.#options;
    // What slow links hold back yet comes first.
    const quietMs = world.scheduler.nowMs + SLOW_TIMEOUTS * world.electionTimeoutMs;
    await within(LIMIT_MS, () => world.scheduler.nowMs >= quietMs);
    if (!await this.#allVote()) return;
    // Nobody is lost: each may go.
    world.mayRemove = () => true;
    if (!await this.#handOver()) return;
    if (!await this.#handOverAmidWrites()) return;
    if (random.next() < 0.5 && !await this.#waitOn()) return;
    if (random.next() < 0.5 && !await this.#loseLeader()) return;
    if (random.next() < 0.25 && !await this.#replace()) return;
    if (random.next() < 0.5 && !await this.#join()) return;
    if (random.next() < 0.5 && !await this.#remove()) return;
    if (!await within(LIMIT_MS, isConverged)) stuck("all nodes converge", "they do not again");
  }

  /** The voters, unless that is about to change. */
  get #voters(): readonly number[] {
    const { configuration } = this.#options.world.truth;
    return configuration?.votersOutgoing.length === 0 ? configuration.voters : [];
  }

  #nodeOf(id: number): SimNode | undefined {
    return this.#options.world.nodes.find((node) => node.id === id && node.server !== undefined);
  }

  #any(): SimNode | undefined {
    const there = this.#voters.filter((id) => this.#nodeOf(id) !== undefined);
    return this.#nodeOf(there[this.#options.random.below(Math.max(1, there.length))]);
  }

  /** One of the voters, when these are settled. */
  async #someone(): Promise<SimNode | undefined> {
    const areThere = () => this.#voters.some((id) => this.#nodeOf(id) !== undefined);
    await this.#options.within(LIMIT_MS, areThere);
    return this.#any();
  }

  /** Who has joined comes to vote, and who is gone votes no more; all reach one another. */
  async #allVote(): Promise<boolean> {
    const { world, within, stuck } = this.#options;
    const doVote = () =>
      this.#voters.length > 0 && world.truth.configuration!.learners.every(this.#isNobody) &&
      this.#voters.every((id) => this.#nodeOf(id) !== undefined);
    // A request may have less time than the pause before the next attempt to connect.
    const isSo = () => doVote() && this.#voters.every((id) => this.#reachesAll(id));
    if (await within(LIMIT_MS, isSo)) return true;
    const { voters = [], learners = [] } = world.truth.configuration ?? {};
    const invariant = doVote() ? "all nodes reach one another" : "who is there votes, nobody else";
    stuck(invariant, `voters ${voters}, learners ${learners}`);
    return false;
  }

  /** An id that was given as its node asked again, which was removed under the one that it took. */
  readonly #isNobody = (id: number): boolean => {
    const { nodes, truth } = this.#options.world;
    const addresses = truth.configuration!.addresses;
    const node = nodes.find(({ address }) => address === addresses[id]);
    return node !== undefined && node.id !== 0 && addresses[node.id] === undefined;
  };

  #reachesAll(id: number): boolean {
    const { server, core } = this.#nodeOf(id) ?? {};
    if (server === undefined || core === undefined) return false;
    const { members } = core.cluster.view(server).status();
    return members.every(({ id, isConnected }) => isConnected || this.#isNobody(id));
  }

  /** A voter that is asked to lead does so, and reads go on meanwhile. */
  async #handOver(): Promise<boolean> {
    const { random, within, stuck } = this.#options;
    const id = this.#voters[random.below(this.#voters.length)];
    const reads = this.#readFrom(this.#voters);
    const { answer, attempts } = await this.#ask({ kind: "transfer", id });
    if (!answer.ok) {
      stuck("leadership is handed over", `to node ${id}: ${answer.error}`);
      return false;
    }
    const isAnswered = await within(LIMIT_MS, () => reads.open === 0);
    if (isAnswered && (attempts > 1 || reads.refused === "")) return true;
    const what = isAnswered ? reads.refused : `${reads.open} wait`;
    stuck("reads go on as leadership is handed over", what);
    return false;
  }

  /** One that lacks what was written just before leads when it has that. */
  async #handOverAmidWrites(): Promise<boolean> {
    const { within } = this.#options;
    // Nobody else hands over, nor stands for election.
    const isCalm = () =>
      this.#leader?.server?.driver.raft.status().peers.every(({ state }) =>
        state === "replicate"
      ) === true;
    await within(LIMIT_MS, isCalm);
    const leader = this.#leader;
    const others = this.#voters.filter((id) => id !== leader?.id);
    if (leader === undefined || others.length === 0) return true;
    return await this.#handOverBehindWrites(leader, others, "amid writes");
  }

  async #handOverBehindWrites(
    leader: SimNode,
    others: readonly number[],
    when: string,
  ): Promise<boolean> {
    const { world, workload, random, stuck } = this.#options;
    for (let left = 1 + random.below(4); left > 0; left--) {
      SimClient.once(world, workload, leader, workload.hunted("write", "linearizable"));
    }
    const id = others[random.below(others.length)];
    const { answer } = await this.#ask({ kind: "transfer", id }, leader);
    if (answer.ok) return true;
    stuck(`leadership is handed over ${when}`, `to node ${id}: ${answer.error}`);
    return false;
  }

  /** A leader that has just begun to change the voters hands over; its successor ends that. */
  async #handOverAmidChange(): Promise<boolean> {
    const { world, within } = this.#options;
    const outgoing = () =>
      this.#leader?.server?.driver.raft.status().configuration.votersOutgoing ?? [];
    if (!await within(LIMIT_MS, () => outgoing().length > 0)) return true;
    const leader = this.#leader!;
    // A message of one that is about to connect again comes late.
    const { peers } = leader.server!.driver.raft.status();
    const others = outgoing().filter((id) =>
      peers.some((peer) => peer.id === id && peer.state === "replicate")
    );
    world.network.rules.loseShare = 0;
    if (others.length === 0) return true;
    return await this.#handOverBehindWrites(leader, others, "amid a change of voters");
  }

  get #leader(): SimNode | undefined {
    const term = ({ server }: SimNode) => server!.leadership.term;
    // One that leads no more may not know it yet.
    return this.#options.world.nodes.filter(({ server }) => server?.leadership.isLeader)
      .sort((a, b) => term(b) - term(a))[0];
  }

  /** What others read waits until there is another leader. */
  async #loseLeader(): Promise<boolean> {
    const { world, random, within, requestTimeoutMs, stuck } = this.#options;
    const leader = this.#leader;
    const others = this.#voters.filter((id) => id !== leader?.id);
    const isSoonOver = requestTimeoutMs > world.electionTimeoutMs * ELECTION_TIMEOUTS;
    if (leader === undefined || others.length < 2 || !isSoonOver) return true;
    const reads = this.#readFrom(others);
    world.scheduler.after(random.next() * READS_MS, () => leader.crash(false, "to be replaced"));
    const isAnswered = await within(LIMIT_MS, () => reads.open === 0);
    if (isAnswered && reads.refused === "") return true;
    stuck("reads go on behind an election", isAnswered ? reads.refused : `${reads.open} wait`);
    return false;
  }

  /** Some reads from each of these nodes; how they fare. */
  #readFrom(ids: readonly number[]): { open: number; refused: string } {
    const { world, random } = this.#options;
    const reads = { open: 0, refused: "" };
    for (const id of ids) {
      for (let left = READS; left > 0; left--) {
        reads.open++;
        world.scheduler.after(random.next() * READS_MS, () => {
          const node = this.#nodeOf(id)!;
          this.#read(node, (text) => {
            reads.open--;
            // A removal that was asked for before may have come meanwhile.
            const isMember = world.truth.configuration!.addresses[id] !== undefined;
            if (isMember && text.startsWith("-")) reads.refused = `${node.name}: ${text}`;
          });
        });
      }
    }
    return reads;
  }

  #read(node: SimNode, done: (text: string) => void): void {
    const { world, workload } = this.#options;
    SimClient.once(world, workload, node, workload.hunted("read", "linearizable"), done);
  }

  /** Who waits as its node loses its connections waits on in its place, as long as it said. */
  async #waitOn(): Promise<boolean> {
    const { world, workload, random, within, stuck } = this.#options;
    const { scheduler, network, truth } = world;
    const node = this.#any();
    if (node === undefined) return true;
    for (let left = 2 + random.below(6); left > 0; left--) {
      const wait = () => SimClient.once(world, workload, node, workload.waited("wait", 0));
      scheduler.after(random.next() * WAITS_MS, wait);
    }
    for (let atMs = WAITS_MS; atMs < WAITS_OVER_MS; atMs += random.next() * WAITS_OVER_MS) {
      scheduler.after(atMs, () => {
        // Some are over while what they ask for is on its way.
        for (const { name } of world.nodes) {
          if (name !== node.name) network.slow(node.name, name, random.next() * SLOW_MS_MAX);
        }
        for (const socket of node.process?.sockets ?? []) socket.reset();
      });
    }
    const overMs = scheduler.nowMs + WAITS_OVER_MS;
    await within(WAITS_OVER_MS, () => scheduler.nowMs >= overMs);
    network.heal();
    // What is under way yet, and all behind it, comes late.
    await within(SLOW_MS_MAX, () => scheduler.nowMs >= overMs + SLOW_MS_MAX);
    if (await within(LIMIT_MS, () => truth.reference.waiting.length === 0)) return true;
    stuck("nobody waits for longer than it said", JSON.stringify(truth.reference.waiting));
    return false;
  }

  /** A machine that lost its data joins again and leads; what it was before is a member no more. */
  async #replace(): Promise<boolean> {
    const { world, random, within, isConverged, stuck } = this.#options;
    const voters = this.#voters;
    const node = this.#any();
    if (voters.length < 3 || node === undefined || node === this.#leader) return true;
    if (world.nodes.some(({ isDamaged }) => isDamaged)) return true;
    await within(LIMIT_MS, isConverged);
    const leader = this.#leader;
    if (leader !== undefined && leader !== node && random.next() < 0.6) {
      // It takes what it was before for one that is there.
      world.network.cut(leader.name, node.name);
      world.network.cut(node.name, leader.name);
      world.scheduler.after(UNSEEN_MS, () => world.network.heal());
    }
    node.isRetired = true;
    node.crash(true, "to be wiped");
    // It has caught up, too: a transfer does not wait for long.
    const doesVote = () => {
      const status = this.#leader?.server?.driver.raft.status();
      return node.id !== 0 && !voters.includes(node.id) && status !== undefined &&
        status.configuration.voters.includes(node.id) &&
        status.peers.some(({ id, match }) => id === node.id && match === status.lastIndex);
    };
    if (!await within(LIMIT_MS, doesVote)) {
      stuck("who has lost its data comes to vote again", `${node.name} as node ${node.id}`);
      return false;
    }
    if (random.next() < 0.7) {
      const { answer } = await this.#ask({ kind: "transfer", id: node.id }, this.#leader);
      if (!answer.ok) {
        stuck("leadership is handed to who joined", `node ${node.id}: ${answer.error}`);
        return false;
      }
    }
    return await this.#allVote();
  }

  /** A new node comes to vote, though the log may not begin where it could follow. */
  async #join(): Promise<boolean> {
    const { world, random, addNode, within, stuck } = this.#options;
    if (random.next() < 0.7) {
      for (const { server, core, process } of world.nodes) {
        if (server === undefined) continue;
        process!.enter(() => core!.cluster.view(server).snapshot().catch(() => {}));
      }
    }
    const { rules } = world.network;
    if (random.next() < 0.5) rules.loseShare = random.next() * LOSE_SHARE_MAX;
    const node = addNode();
    node.start();
    await within(LIMIT_MS, () => node.id !== 0);
    if (random.next() < 0.4) {
      // What is sent to it first is refused.
      node.machine.rules.fullShare = 1;
      world.scheduler.after(random.next() * FULL_MS_MAX, () => node.machine.rules.fullShare = 0);
    }
    if (random.next() < 0.5 && !await this.#handOverAmidChange()) return false;
    const isIn = await within(LIMIT_MS, () => this.#voters.includes(node.id));
    rules.loseShare = 0;
    if (isIn) return true;
    stuck("who joins comes to vote", `${node.name} as node ${node.id}`);
    return false;
  }

  /** One that is removed is no member any more, whoever it is, and the others go on. */
  async #remove(): Promise<boolean> {
    const { world, random, within, stuck } = this.#options;
    const voters = this.#voters;
    if (voters.length < 2) return true;
    const id = voters[random.below(voters.length)];
    if (random.next() < 0.5) await this.#waitAt(id);
    const { answer } = await this.#ask({ kind: "remove", id });
    // What an attempt has done whose answer was lost the next one finds done.
    if (!answer.ok && world.truth.configuration!.addresses[id] !== undefined) {
      stuck("who is removed leaves", `node ${id}: ${answer.error}`);
      return false;
    }
    const node = await this.#someone();
    if (node === undefined) {
      stuck("who is removed leaves", "the members are not settled");
      return false;
    }
    const { reference } = world.truth;
    if (!await within(LIMIT_MS, () => reference.waiting.every((each) => each.node !== id))) {
      stuck("nobody waits who is gone", JSON.stringify(reference.waiting));
      return false;
    }
    let isServed = false;
    const read = () => {
      this.#read(node, (text) => isServed ||= !text.startsWith("-"));
      if (!isServed) world.scheduler.after(200, read);
    };
    read();
    if (await within(LIMIT_MS, () => isServed)) return true;
    stuck("the others go on without who was removed", node.name);
    return false;
  }

  /** Some wait there until they are served. */
  async #waitAt(id: number): Promise<void> {
    const { world, workload, within } = this.#options;
    const node = this.#nodeOf(id);
    if (node === undefined) return;
    for (let left = 3; left > 0; left--) {
      SimClient.once(world, workload, node, workload.waited("wait", 1));
    }
    await within(LIMIT_MS, () => world.truth.reference.waiting.length === 3);
  }

  /** Asks again what another change stood in the way of, unless it is this node that is asked. */
  async #ask(
    request: ClusterRequest,
    node?: SimNode,
  ): Promise<{ answer: ClusterAnswer; attempts: number }> {
    const { world, within } = this.#options;
    let answer: ClusterAnswer = { ok: false, error: "no answer" };
    for (let attempts = 1;; attempts++) {
      let isAnswered = false;
      const asked = node ?? await this.#someone();
      if (asked === undefined) return { answer, attempts };
      const { server, core, process, name } = asked;
      world.note(`${name} is asked: ${JSON.stringify(request)}`);
      process!.enter(() => {
        core!.cluster.view(server!).request(request).then((given) => {
          world.note(`${name} answers ${JSON.stringify(given)}`);
          if (given.ok) world.carriedOut(request, given.id);
          answer = given;
          isAnswered = true;
        }, () => isAnswered = true);
      });
      await within(LIMIT_MS, () => isAnswered);
      if (answer.ok || attempts === ATTEMPTS_MAX || node !== undefined) return { answer, attempts };
    }
  }
}
