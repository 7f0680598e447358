import { assert } from "../../src/base/assert.ts";
import { Prng } from "../../src/base/prng.ts";
import { encodeMessage } from "../../src/raft/message.ts";
import type { Entry, MembershipChange, Message, Proposed, Ready } from "../../src/raft/types.ts";
import { ClusterNode, configurationOf, type NodeEvents, OPTIONS } from "./cluster.ts";
import type { SnapshotData } from "./cluster.ts";

interface Packet {
  readonly from: number;
  readonly to: number;
  readonly term: number;
  readonly bytes: Uint8Array | undefined;
  readonly snapshot: SnapshotData | undefined;
}

interface Proposal {
  readonly id: number;
  readonly index: number;
  readonly term: number;
}

const FAULTS = { drop: 0.03, duplicate: 0.05, reorder: 0.2 };
const SETTLE_MS = 60_000;

/** A cluster that one seed drives through faults while the safety properties are checked. */
export class RandomCluster implements NodeEvents {
  readonly #random: Prng;
  readonly #rules: { readonly preVote: boolean; readonly checkQuorum: boolean };
  readonly #nodes = new Map<number, ClusterNode>();
  #packets: Packet[] = [];
  #blocked = new Set<string>();
  #timeMs = 1000;
  #isCalm = false;
  #nextId: number;
  #nextProposal = 1;
  readonly trace: string[] = [];
  readonly #isTraced: boolean;

  /** What was learned of the cluster, for the checks. */
  readonly #leaders = new Map<number, number>();
  readonly #entries = new Map<string, string>();
  readonly #committed: Entry[] = [];
  #commitMax = 0;
  readonly #proposals = new Map<number, Map<string, Proposal>>();
  readonly #neverDone = new Set<string>();
  readonly #readsAsked = new Map<number, number>();
  #readsServed = 0;
  #leasesChecked = 0;
  #nextRead = 1;

  /** `isTraced`: whether `trace` is kept. */
  constructor(seed: number, isTraced: boolean) {
    this.#isTraced = isTraced;
    this.#random = new Prng(seed);
    this.#rules = {
      preVote: this.#random.next() < 0.8,
      checkQuorum: this.#random.next() < 0.8,
    };
    const count = 1 + this.#random.below(5);
    const voters = Array.from({ length: count }, (_, at) => at + 1);
    const configuration = configurationOf(voters);
    for (const id of voters) {
      const node = this.#addNode(id, seed);
      node.baseConfiguration = configuration;
      node.log.snapshot = { index: 0, term: 0, configuration };
      node.machine.configuration = configuration;
      node.start();
    }
    this.#nextId = count + 1;
  }

  #note(line: () => string): void {
    if (this.#isTraced) this.trace.push(line());
  }

  #addNode(id: number, seed: number): ClusterNode {
    const inflightMax = 1 + this.#random.below(4);
    const { preVote, checkQuorum } = this.#rules;
    const times = { electionTimeoutMs: 200, heartbeatMs: 40 };
    const options = { ...OPTIONS, ...times, inflightMax, preVote, checkQuorum };
    const node = new ClusterNode(id, options, this, seed * 31 + id);
    node.isDiskManual = true;
    node.isApplyManual = this.#random.next() < 0.5;
    this.#nodes.set(id, node);
    this.#proposals.set(id, new Map());
    return node;
  }

  get figures(): { commits: number; leaders: number; reads: number; leases: number } {
    return {
      commits: this.#committed.length,
      leaders: this.#leaders.size,
      reads: this.#readsServed,
      leases: this.#leasesChecked,
    };
  }

  // --- events of the nodes ---------------------------------------------------------------------

  ready(node: ClusterNode, ready: Ready): void {
    const { role, term } = ready.roleChange ?? {};
    if (role !== undefined) this.#note(() => `${node.id} ${role} ${term}`);
    if (role === "leader") this.#checkLeader(node, term!);
    const { hardState } = ready;
    if (hardState !== undefined) {
      this.#note(() => `${node.id} hard ${hardState.term} ${hardState.votedFor}`);
    }
    for (const entry of ready.entries) this.#checkEntry(node, entry, ready.entries);
    for (const { id, index } of ready.readStates) {
      const asked = this.#readsAsked.get(id)!;
      assert(index >= asked, `read ${id} at ${index} is behind ${asked}, committed before it`);
      this.#readsServed++;
    }
    for (const entry of ready.dropped) {
      const key = `${entry.index}/${entry.term}`;
      this.#proposals.get(node.id)!.delete(key);
      if (ready.installSnapshot !== undefined) continue;
      assert(this.#committed[entry.index - 1]?.term !== entry.term, `${key} is dropped, and done`);
      this.#neverDone.add(key);
    }
  }

  /** Election safety, and leader completeness. */
  #checkLeader(node: ClusterNode, term: number): void {
    const other = this.#leaders.get(term);
    assert(other === undefined || other === node.id, `${other} and ${node.id} lead term ${term}`);
    if (other !== undefined) return;
    this.#leaders.set(term, node.id);
    for (const entry of this.#committed) {
      if (entry.index < node.log.firstIndex || entry.term >= term) continue;
      const found = node.log.term(entry.index);
      assert(found === entry.term, `leader ${node.id} of ${term} lacks ${entry.index}`);
    }
  }

  /** Log matching: an index and a term name one entry, behind one predecessor. */
  #checkEntry(node: ClusterNode, entry: Entry, entries: readonly Entry[]): void {
    const at = entries.indexOf(entry);
    let before: number | undefined = at > 0 ? entries[at - 1].term : node.log.term(entry.index - 1);
    for (const { ready } of node.disk) {
      if (at > 0) break;
      const pending = ready.entries.find((other) => other.index === entry.index - 1);
      if (pending !== undefined) before = pending.term;
      else if (ready.entries[0]?.index < entry.index - 1) before = undefined;
    }
    const key = `${entry.index}/${entry.term}`;
    const value = `${before} ${entry.kind} ${entry.data.join()}`;
    const known = this.#entries.get(key);
    if (known !== undefined) assert(known === value, `two entries ${key}: ${known}, ${value}`);
    else this.#entries.set(key, value);
  }

  /** State-machine safety, and that a proposer finds its own again. */
  applied(node: ClusterNode, entry: Entry): void {
    const known = this.#committed[entry.index - 1];
    if (known === undefined) {
      assert(entry.index === this.#committed.length + 1, `gap before ${entry.index}`);
      this.#committed.push(entry);
    } else {
      const isSame = known.term === entry.term && known.kind === entry.kind &&
        known.data.join() === entry.data.join();
      assert(isSame, `${node.id} applies another ${entry.index} than was applied before`);
    }
    const key = `${entry.index}/${entry.term}`;
    const proposal = this.#proposals.get(node.id)!.get(key);
    if (proposal !== undefined) assert(entry.local === proposal.id, `${key} lost its local`);
    this.#proposals.get(node.id)!.delete(key);
    assert(!this.#neverDone.has(key), `${key} was dropped, and is done`);
    this.#note(() => `${node.id} applies ${key} ${entry.kind}`);
  }

  send(from: ClusterNode, message: Message): void {
    const bytes = encodeMessage(message);
    const { to, term } = message;
    this.#note(() => `${from.id} sends ${message.type} ${to} ${bytes.join("")}`);
    this.#packets.push({ from: from.id, to, term, bytes, snapshot: undefined });
  }

  snapshotNeeded(node: ClusterNode, to: number): void {
    const snapshot = node.snapshot();
    const { term } = node.raft!.status();
    this.#note(() => `${node.id} snapshots ${snapshot.meta.index} to ${to}`);
    this.#packets.push({ from: node.id, to, term, bytes: undefined, snapshot });
  }

  // --- steps -----------------------------------------------------------------------------------

  #any(): ClusterNode {
    const nodes = [...this.#nodes.values()];
    return nodes[this.#random.below(nodes.length)];
  }

  #leader(): ClusterNode | undefined {
    const leaders = [...this.#nodes.values()].filter((node) =>
      node.raft?.status().role === "leader"
    );
    return leaders[this.#random.below(Math.max(1, leaders.length))];
  }

  step(): void {
    const dice = this.#random.below(1000);
    if (dice < 480) {
      for (let count = this.#random.below(5); count >= 0; count--) {
        this.#deliver();
      }
    } else if (dice < 720) this.#persist(this.#any());
    else if (dice < 750) this.#any().apply(1 + this.#random.below(8));
    else if (dice < 850) this.#tickAll();
    else if (dice < 900) this.#propose();
    else if (dice < 930) this.#read();
    else if (dice < 940) this.#crashOrStart(this.#any());
    else if (dice < 946) this.#partition();
    else if (dice < 966) this.#change();
    else if (dice < 976) this.#compact(this.#any());
    else if (dice < 980) this.#leader()?.raft?.transferLeader(0);
    else if (dice < 981) this.#timeJumps();
    this.#pumpAll();
  }

  #pumpAll(): void {
    for (const node of this.#nodes.values()) {
      node.pump();
      const { raft } = node;
      if (raft === undefined) continue;
      this.#commitMax = Math.max(this.#commitMax, raft.status().commit);
    }
  }

  #tickAll(): void {
    this.#timeMs += this.#random.below(30);
    for (const node of this.#nodes.values()) {
      if (this.#random.next() < 0.8) this.#tick(node);
    }
  }

  #tick(node: ClusterNode): void {
    node.nowMs = this.#timeMs;
    node.tick(0);
    const status = node.raft?.status();
    if (status === undefined || !status.leaseValid) return;
    this.#leasesChecked++;
    assert(status.commit >= this.#commitMax, `${node.id} has a lease and is behind`);
  }

  #timeJumps(): void {
    this.#timeMs += 100 + this.#random.below(500);
  }

  #persist(node: ClusterNode): void {
    if (node.raft !== undefined) node.persist(1 + this.#random.below(3));
  }

  #deliver(): void {
    if (this.#packets.length === 0) return;
    const isReordered = !this.#isCalm && this.#random.next() < FAULTS.reorder;
    const at = isReordered ? this.#random.below(this.#packets.length) : 0;
    const packet = this.#packets.splice(at, 1)[0];
    const isBlocked = this.#blocked.has(`${packet.from}>${packet.to}`);
    const isLost = !this.#isCalm && this.#random.next() < FAULTS.drop;
    if (isBlocked || isLost) return this.#lose(packet);
    if (!this.#isCalm && this.#random.next() < FAULTS.duplicate) this.#packets.push(packet);
    const node = this.#nodes.get(packet.to);
    if (node === undefined || node.raft === undefined) return this.#lose(packet);
    if (packet.bytes !== undefined) return node.receive(packet.bytes);
    const { snapshot, from, to, term } = packet;
    node.received.set(snapshot!.meta.index, snapshot!);
    node.raft.step({ type: "install_snapshot", from, to, term, snapshot: snapshot!.meta });
    this.#nodes.get(from)?.raft?.reportSnapshot(to, true);
  }

  #lose(packet: Packet): void {
    const sender = this.#nodes.get(packet.from)?.raft;
    if (packet.snapshot !== undefined) sender?.reportSnapshot(packet.to, false);
    else if (this.#random.next() < 0.2) sender?.reportUnreachable(packet.to);
  }

  #propose(): void {
    const node = this.#leader();
    if (node === undefined) return;
    const id = this.#nextProposal++;
    const data = new Uint8Array(1 + this.#random.below(40)).fill(id % 256);
    const proposed = node.raft!.propose(data, id);
    if (!proposed.ok) return;
    const { index, term } = proposed;
    this.#proposals.get(node.id)!.set(`${index}/${term}`, { id, index, term });
  }

  #read(): void {
    const raft = this.#leader()?.raft;
    const id = this.#nextRead++;
    if (raft !== undefined && raft.readIndex(id) === undefined) {
      this.#readsAsked.set(id, this.#commitMax);
    }
  }

  #crashOrStart(node: ClusterNode): void {
    if (node.raft === undefined) {
      if (this.#random.next() < 0.8) node.start();
      return;
    }
    if (this.#random.next() < 0.6) return;
    this.#note(() => `${node.id} crashes`);
    this.#proposals.get(node.id)!.clear();
    node.persist(this.#random.below(node.disk.length + 1));
    node.crash(this.#random.below(node.applied + 1));
  }

  #partition(): void {
    this.#blocked.clear();
    if (this.#random.next() < 0.5) return;
    const ids = [...this.#nodes.keys()];
    const isOneWay = this.#random.next() < 0.2;
    const side = new Set(ids.filter(() => this.#random.next() < 0.5));
    for (const from of ids) {
      for (const to of ids) {
        const cuts = isOneWay ? side.has(from) && !side.has(to) : side.has(from) !== side.has(to);
        if (cuts) this.#blocked.add(`${from}>${to}`);
      }
    }
  }

  #change(): void {
    const node = this.#leader();
    if (node === undefined) return;
    const { voters, learners } = node.raft!.status().configuration;
    const dice = this.#random.next();
    let change: MembershipChange;
    if (dice < 0.4 && learners.length > 0) {
      change = { kind: "promote", id: learners[0] };
    } else if (dice < 0.7 && voters.length > 1) {
      change = { kind: "remove", id: voters[this.#random.below(voters.length)] };
    } else {
      if (voters.length + learners.length >= 6) return;
      change = { kind: "add_learner", id: this.#nextId, address: `n${this.#nextId}` };
    }
    const proposed = node.raft!.changeMembership(change);
    if (!proposed.ok || change.kind !== "add_learner") return;
    const added = this.#addNode(this.#nextId, this.#nextId);
    added.baseConfiguration = this.#nodes.get(1)!.baseConfiguration;
    added.start();
    this.#nextId++;
  }

  #compact(node: ClusterNode): void {
    if (node.raft === undefined || node.disk.length > 0) return;
    node.compact(node.applied - this.#random.below(4));
  }

  // --- the end ---------------------------------------------------------------------------------

  /** Heals everything; afterwards a leader must exist, commit, and all members agree. */
  settle(): void {
    this.#isCalm = true;
    this.#blocked.clear();
    for (const node of this.#nodes.values()) {
      if (node.raft === undefined) node.start();
    }
    const endMs = this.#timeMs + SETTLE_MS;
    let last: Proposed | undefined;
    while (this.#timeMs < endMs) {
      this.#timeMs += 20;
      for (const node of this.#nodes.values()) {
        node.nowMs = this.#timeMs;
        node.tick(0);
        node.persist(node.disk.length);
        node.apply(Infinity);
      }
      this.#pumpAll();
      for (let count = this.#packets.length; count > 0; count--) this.#deliver();
      this.#pumpAll();
      const leader = this.#leader()?.raft;
      if (!last?.ok || last.term !== leader?.status().term) {
        last = leader?.propose(new Uint8Array([255]), this.#nextProposal++);
      } else if (this.#isSettled(Math.max(last.index, this.#commitMax))) return this.#checkEnd();
    }
    const states = [...this.#nodes.values()].map((node) => {
      const status = node.raft!.status();
      return JSON.stringify({ ...status, machine: node.applied });
    });
    assert(
      false,
      `not settled after ${SETTLE_MS} ms, proposed ${JSON.stringify(last)}:\n${states.join("\n")}`,
    );
  }

  #members(): ClusterNode[] {
    const configuration = this.#leader()?.raft?.status().configuration;
    const ids = [...configuration?.voters ?? [], ...configuration?.learners ?? []];
    return ids.map((id) => this.#nodes.get(id)!);
  }

  #isSettled(index: number): boolean {
    const members = this.#members();
    return members.length > 0 && members.every((node) => node.applied >= index);
  }

  #checkEnd(): void {
    for (const node of this.#members()) {
      for (const entry of node.machine.entries) {
        const committed = this.#committed[entry.index - 1];
        assert(committed.term === entry.term, `${node.id} ended with another ${entry.index}`);
      }
    }
    for (const node of this.#members()) {
      for (const { index, term } of this.#proposals.get(node.id)!.values()) {
        assert(index > node.applied, `${node.id} never learned of its ${index}/${term}`);
      }
    }
  }
}
