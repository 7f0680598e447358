import { assert } from "../../src/base/assert.ts";
import { decodeMessage, encodeMessage } from "../../src/raft/message.ts";
import { EMPTY_CONFIGURATION } from "../../src/raft/membership.ts";
import type { Entry, MembershipChange, Message, RaftCore } from "../../src/raft/types.ts";
import { ClusterNode, configurationOf, type NodeEvents, OPTIONS } from "./cluster.ts";
import type { NodeOptions } from "./cluster.ts";
import { configurationText, entriesText, messageText, readyLines } from "./scenario_text.ts";

const TICK_STEP_MS = 50;
const ELECT_STEPS_MAX = 100;
const DELIVERIES_MAX = 10_000;
const UTF8 = new TextEncoder();

/** Runs the commands of a scenario file; README.md in scenarios/ lists them. */
export class Scenario implements NodeEvents {
  readonly #nodes = new Map<number, ClusterNode>();
  readonly #links = new Map<string, Uint8Array[]>();
  readonly #cut = new Set<string>();
  #options: NodeOptions = OPTIONS;
  #lines: string[] = [];
  #voteRequests = 0;

  /** The transcript of one command. */
  run(command: string): string[] {
    this.#lines = [];
    const isQuiet = command.startsWith("quiet ");
    const [name, ...words] = (isQuiet ? command.slice(6) : command).trim().split(/\s+/);
    this.#dispatch(name, words);
    this.#pump();
    return isQuiet ? [] : this.#lines;
  }

  #dispatch(name: string, words: string[]): void {
    switch (name) {
      case "cluster":
        return this.#cluster(words);
      case "join":
        return this.#join(Number(words[0]));
      case "log":
        return this.#setLog(this.#node(words[0]), words.slice(1));
      case "tick":
        return this.#tick(this.#some(words[0]), Number(words[1]));
      case "stall":
        return this.#some(words[0]).forEach((node) => node.tick(Number(words[1])));
      case "elect":
        return this.#elect(this.#node(words[0]));
      case "deliver":
        return this.#deliver(words[0] ?? "all", Number(words[1] ?? DELIVERIES_MAX));
      case "drop":
        return this.#drop(words[0], Number(words[1] ?? DELIVERIES_MAX));
      case "cut":
        return this.#cutOff(this.#node(words[0]), this.#some(words[1]));
      case "heal":
        return this.#cut.clear();
      case "append":
        return this.#appendByHand(words);
      case "net":
        return this.#showNetwork();
      case "disk":
        this.#node(words[0]).isDiskManual = words[1] === "manual";
        return;
      case "persist":
        return this.#persist(this.#node(words[0]), words[1]);
      default:
        return this.#dispatchNode(name, this.#node(words[0]), words.slice(1));
    }
  }

  #dispatchNode(name: string, node: ClusterNode, words: string[]): void {
    switch (name) {
      case "propose":
        return this.#result(node.raft!.propose(UTF8.encode(words[0]), words[0]));
      case "read":
        return this.#refusal(node.raft!.readIndex(Number(words[0])));
      case "transfer":
        return this.#refusal(node.raft!.transferLeader(Number(words[0])));
      case "change":
        return this.#change(node, words);
      case "status":
        return this.#showStatus(node);
      case "show":
        return this.#showLog(node);
      case "crash":
        return node.crash();
      case "start":
        return node.start();
      case "compact":
        return node.compact(Number(words[0]));
      case "stream":
        return this.#stream(node, this.#node(words[0]), words[1] !== "fail");
      case "unreachable":
        return node.raft!.reportUnreachable(Number(words[0]));
      default:
        throw new Error(`Cannot run ${name}: no such command`);
    }
  }

  // --- events of the nodes ---------------------------------------------------------------------

  ready(node: ClusterNode, ready: Parameters<typeof readyLines>[1]): void {
    this.#lines.push(...readyLines(node.id, ready));
  }

  applied(): void {}

  snapshotNeeded(): void {}

  send(from: ClusterNode, message: Message): void {
    const link = `${from.id}>${message.to}`;
    if (message.type === "vote") this.#voteRequests++;
    if (this.#cut.has(link)) return;
    const queue = this.#links.get(link) ?? [];
    this.#links.set(link, queue);
    queue.push(encodeMessage(message));
  }

  // --- nodes -----------------------------------------------------------------------------------

  #node(id: string): ClusterNode {
    const node = this.#nodes.get(Number(id));
    assert(node !== undefined, `no node ${id}`);
    return node;
  }

  /** `all`, or ids with commas. */
  #some(ids: string): ClusterNode[] {
    if (ids === "all") return [...this.#nodes.values()];
    return ids.split(",").map((id) => this.#node(id));
  }

  #cluster(words: string[]): void {
    const voters = words.filter((word) => /^\d+$/.test(word)).map(Number);
    let learners: number[] = [];
    for (const word of words) {
      const [key, value] = word.split("=");
      if (key === "learners") learners = value.split(",").map(Number);
      else if (value === "off") this.#options = { ...this.#options, [key]: false };
      else if (value !== undefined) this.#options = { ...this.#options, [key]: Number(value) };
    }
    const configuration = configurationOf(voters, learners);
    for (const id of [...voters, ...learners]) {
      const node = this.#add(id);
      node.baseConfiguration = configuration;
      node.machine.configuration = configuration;
      node.log.snapshot = { index: 0, term: 0, configuration };
      node.start();
    }
  }

  #add(id: number): ClusterNode {
    const node = new ClusterNode(id, this.#options, this, id);
    this.#nodes.set(id, node);
    return node;
  }

  #join(id: number): void {
    const node = this.#add(id);
    node.baseConfiguration = [...this.#nodes.values()][0].baseConfiguration;
    node.log.snapshot = { index: 0, term: 0, configuration: EMPTY_CONFIGURATION };
    node.start();
  }

  /** `terms=1,1,4` of the entries 1, 2, 3; `term=4` and `vote=2` of the node. */
  #setLog(node: ClusterNode, words: string[]): void {
    const values = new Map(words.map((word) => word.split("=") as [string, string]));
    const terms = (values.get("terms") ?? "").split(",").filter((term) => term !== "");
    const entries = terms.map((term, at): Entry => ({
      index: at + 1,
      term: Number(term),
      kind: "normal",
      data: UTF8.encode(`t${term}`),
    }));
    node.crash();
    node.log.append(entries, {
      term: Number(values.get("term") ?? terms[terms.length - 1] ?? 0),
      votedFor: Number(values.get("vote") ?? 0),
      commit: Number(values.get("commit") ?? 0),
    });
    node.start();
  }

  #tick(nodes: ClusterNode[], ms: number): void {
    for (let left = ms; left > 0; left -= TICK_STEP_MS) {
      for (const node of nodes) node.tick(Math.min(left, TICK_STEP_MS));
      this.#pump();
    }
  }

  /** Only this node's clock runs, until it stands for election. */
  #elect(node: ClusterNode): void {
    const before = this.#voteRequests;
    const { role, term } = node.raft!.status();
    for (let step = 0; step < ELECT_STEPS_MAX; step++) {
      node.tick(TICK_STEP_MS);
      this.#pump();
      // A candidate repeats its requests; only those of the next term count.
      const isRepetition = role === "candidate" && node.raft!.status().term === term;
      if (this.#voteRequests > before && !isRepetition) return;
    }
    this.#lines.push(`  ${node.id} does not stand`);
  }

  #pump(): void {
    let any = true;
    while (any) {
      any = false;
      for (const node of this.#nodes.values()) any = node.pump() || any;
    }
  }

  #persist(node: ClusterNode, count: string | undefined): void {
    node.persist(count === undefined ? node.disk.length : Number(count));
  }

  #change(node: ClusterNode, words: string[]): void {
    const [kind, id] = words;
    const change = { kind, id: Number(id), address: `host${id}` };
    this.#result(node.raft!.changeMembership(change as MembershipChange));
  }

  #stream(from: ClusterNode, to: ClusterNode, ok: boolean): void {
    if (ok) {
      const { term } = from.raft!.status();
      const snapshot = from.snapshot();
      const message: Message = {
        type: "install_snapshot",
        from: from.id,
        to: to.id,
        term,
        snapshot: snapshot.meta,
      };
      to.received.set(snapshot.meta.index, snapshot);
      this.#lines.push(`  ${messageText(message)}`);
      to.receive(encodeMessage(message));
      this.#pump();
    }
    from.raft!.reportSnapshot(to.id, ok);
  }

  /** `1>2 term=3 after=1/1 entries=2/1,3/3 commit=1` arrives at once. */
  #appendByHand(words: string[]): void {
    const [from, to] = words[0].split(">").map(Number);
    const values = new Map(words.slice(1).map((word) => word.split("=") as [string, string]));
    const pair = (text: string) => text.split("/").map(Number);
    const [prevIndex, prevTerm] = pair(values.get("after") ?? "0/0");
    const entries = (values.get("entries") ?? "").split(",").map(pair);
    this.#arrive(encodeMessage({
      type: "append",
      from,
      to,
      term: Number(values.get("term")),
      prevIndex,
      prevTerm,
      entries: entries.map(([index, term]): Entry => {
        return { index, term, kind: "normal", data: UTF8.encode(`t${term}`) };
      }),
      commit: Number(values.get("commit") ?? 0),
      round: 0,
    }));
  }

  // --- the network -----------------------------------------------------------------------------

  /** The links that `which` names: `all`, `1>2`, `1>`, or `>2`. */
  #queues(which: string): Uint8Array[][] {
    return [...this.#links].filter(([link]) =>
      which === "all" || link === which ||
      (which.endsWith(">") && link.startsWith(which)) ||
      (which.startsWith(">") && link.endsWith(which))
    ).map(([, queue]) => queue);
  }

  /** Of `all`: until nothing is under way. Of a link: what is on it now. */
  #deliver(which: string, countMax: number): void {
    let left = countMax;
    if (which !== "all") {
      const present = this.#queues(which).reduce((sum, queue) => sum + queue.length, 0);
      left = Math.min(countMax, present);
    }
    while (left > 0) {
      const queues = this.#queues(which).filter((queue) => queue.length > 0);
      if (queues.length === 0) return;
      for (const queue of queues) {
        if (left-- <= 0) return;
        this.#arrive(queue.shift()!);
      }
    }
    assert(countMax < DELIVERIES_MAX || which !== "all", "the network never falls silent");
  }

  #arrive(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    const node = this.#nodes.get(message.to);
    const isDown = node?.raft === undefined;
    this.#lines.push(`${messageText(message)}${isDown ? " (down)" : ""}`);
    node?.receive(bytes);
    this.#pump();
  }

  #drop(which: string, countMax: number): void {
    let left = countMax;
    for (const queue of this.#queues(which)) {
      for (const bytes of queue.splice(0, left)) {
        left--;
        this.#lines.push(`dropped ${messageText(decodeMessage(bytes))}`);
      }
    }
  }

  #cutOff(node: ClusterNode, others: ClusterNode[]): void {
    for (const { id } of others) {
      if (id === node.id) continue;
      this.#cut.add(`${node.id}>${id}`).add(`${id}>${node.id}`);
      this.#links.delete(`${node.id}>${id}`);
      this.#links.delete(`${id}>${node.id}`);
    }
  }

  // --- output ----------------------------------------------------------------------------------

  #result(proposed: ReturnType<RaftCore["propose"]>): void {
    const text = proposed.ok ? `at ${proposed.index}/${proposed.term}` : proposed.reason;
    this.#lines.push(`  ${text}`);
  }

  #refusal(refusal: string | undefined): void {
    if (refusal !== undefined) this.#lines.push(`  ${refusal}`);
  }

  #showNetwork(): void {
    for (const queue of this.#links.values()) {
      for (const bytes of queue) this.#lines.push(`  ${messageText(decodeMessage(bytes))}`);
    }
  }

  #showStatus(node: ClusterNode): void {
    const status = node.raft!.status();
    const { role, term, leader, commit, applied, lastIndex, lastTerm, persistedIndex } = status;
    const lease = status.leaseValid ? " lease" : "";
    const transfer = status.transferTarget === 0 ? "" : ` transferring to ${status.transferTarget}`;
    this.#lines.push(
      `  ${node.id}: ${role} term ${term} leader ${leader} commit ${commit} applied ${applied} ` +
        `last ${lastIndex}/${lastTerm} persisted ${persistedIndex} ` +
        `${configurationText(status.configuration)}${lease}${transfer}`,
    );
    for (const peer of status.peers) {
      const { id, state, match, next, inflight, active } = peer;
      const activity = active ? "" : " silent";
      this.#lines.push(
        `    ${id}: ${state} match ${match} next ${next} inflight ${inflight}${activity}`,
      );
    }
  }

  #showLog(node: ClusterNode): void {
    const { snapshot, hardState, entriesStored } = node.log;
    this.#lines.push(
      `  ${node.id}: term ${hardState.term} vote ${hardState.votedFor} ` +
        `snapshot ${snapshot.index}/${snapshot.term} [${entriesText(entriesStored)}]`,
    );
  }
}

/** Fills in the outputs of a scenario: `> command` lines are run, comments and blanks stay. */
export function transcript(source: string): string {
  const scenario = new Scenario();
  const lines: string[] = [];
  for (const line of source.split("\n")) {
    if (line.startsWith("> ")) lines.push(line, ...scenario.run(line.slice(2)));
    else if (line === "" || line.startsWith("#")) lines.push(line);
  }
  return lines.join("\n");
}
