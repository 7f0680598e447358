import * as v from "valibot";
import type { ClusterAnswer, ClusterRequest, ClusterView } from "../commands/cluster_view.ts";
import { sleep } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Configuration, NodeId } from "../raft/types.ts";
import { Cluster, JOINED_ID_BASE } from "../server/cluster.ts";
import type { ServeConfig } from "../server/config.ts";
import type { LogPurger } from "../server/log_purger.ts";
import type { NodeStorage } from "../server/node_storage.ts";
import type { Server } from "../server/server.ts";
import { joinAddress } from "../transport/address.ts";
import { ClusterLink } from "./cluster_link.ts";
import { FRAME } from "../transport/frame.ts";
import type { PeerIdentity, Purpose } from "../transport/handshake.ts";
import type { PeerConnection } from "../transport/peer_connection.ts";
import { type FrameHandler, IN_NO_CLUSTER, Peers } from "../transport/peers.ts";
import { Founding } from "./founding.ts";
import type { Outside } from "./outside.ts";
import { PeerMemory } from "./peer_memory.ts";
import { answerRequests, OTHER_CLUSTER, PeerRequests } from "./peer_requests.ts";
import { type SnapshotCounts, Snapshots } from "./snapshots.ts";

/** An append is about a megabyte; a message on a channel may be as long as a request. */
const FRAME_PAYLOAD_BYTES_MAX = 80 * 1024 * 1024;
const id = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const address = v.pipe(v.string(), v.maxLength(300));

/** What one node may ask another. */
const RequestSchema = v.variant("kind", [
  v.strictObject({ kind: v.literal("standing") }),
  v.strictObject({
    kind: v.literal("join"),
    address,
    nonce: v.optional(v.pipe(v.string(), v.maxLength(64))),
  }),
  v.strictObject({ kind: v.literal("add"), id, address }),
  v.strictObject({ kind: v.literal("promote"), id }),
  v.strictObject({ kind: v.literal("remove"), id }),
  v.strictObject({ kind: v.literal("set_address"), id, address }),
  v.strictObject({ kind: v.literal("transfer"), id }),
  v.strictObject({ kind: v.literal("holders"), id }),
]);

const AnswerSchema = v.variant("ok", [
  v.looseObject({ ok: v.literal(true), id }),
  v.strictObject({ ok: v.literal(false), error: v.string() }),
]);

export interface ClusterNodeOptions {
  readonly config: ServeConfig;
  readonly logger: Logger;
  readonly storage: NodeStorage;
  readonly purger: LogPurger;
  readonly outside: Outside;
  readonly fatal: (error: unknown) => void;
  /** How long a snapshot is kept that nobody asks for. */
  readonly snapshotIdleMs?: number;
  /** Has the node stop, to join the cluster of these members as a new one. */
  readonly beginAnew: (addresses: readonly string[]) => void;
}

/** This node's part in its cluster: connections, identity, members. */
export class ClusterNode {
  readonly link: ClusterLink;
  readonly #config: ServeConfig;
  readonly #logger: Logger;
  readonly #storage: NodeStorage;
  readonly #outside: Outside;
  readonly #requests: PeerRequests;
  readonly #snapshots: Snapshots;
  readonly #memory: PeerMemory;
  readonly #fatal: (error: unknown) => void;
  readonly #beginAnew: ClusterNodeOptions["beginAnew"];
  /** It had an identity when it was started. */
  readonly #isResumed: boolean;
  #isPeerLost = false;
  /** The other members. */
  #others: ReadonlySet<NodeId> = new Set();
  #peers: Peers;
  #founding: Founding | undefined;
  #server: Server | undefined;
  #cluster: Cluster | undefined;
  #configuration: Configuration | undefined;

  constructor(options: ClusterNodeOptions) {
    const { config, logger, storage, outside } = options;
    this.#config = config;
    this.#logger = logger;
    this.#storage = storage;
    this.#outside = outside;
    this.#fatal = options.fatal;
    this.#beginAnew = options.beginAnew;
    this.#isResumed = storage.log.identity !== undefined;
    this.#memory = new PeerMemory(storage.log);
    this.#snapshots = new Snapshots({
      ...options,
      clock: outside.clock,
      open: (node, handler) => this.#openForSnapshot(node, handler),
    });
    this.link = new ClusterLink(logger, (message) => this.#memory.heard(message));
    this.#requests = new PeerRequests(() => this.#peers, outside.clock, logger);
    this.#peers = this.#makePeers(config.peerPort);
  }

  get snapshotCounts(): SnapshotCounts {
    return this.#snapshots.counts;
  }

  get port(): number {
    return this.#peers.port;
  }

  /** Where other nodes reach this one. */
  get address(): string {
    const { advertise, peerHost } = this.#config;
    if (/:\d+$/.test(advertise)) return advertise;
    return joinAddress(advertise === "" ? peerHost : advertise, this.port);
  }

  async listen(): Promise<void> {
    try {
      await this.#peers.listen();
    } catch (error) {
      if (this.#config.isPeerPortFixed || (error as { code?: string }).code !== "EADDRINUSE") {
        throw error;
      }
      const { peerPort } = this.#config;
      this.#logger.warn("peer port in use, taking a free one", { port: peerPort });
      this.#peers = this.#makePeers(0);
      await this.#peers.listen();
    }
  }

  /** Resolves when this node has an identity. */
  async findIdentity(): Promise<void> {
    await this.#makeFounding().run();
  }

  /** Connects a server that has started to run. */
  attach(server: Server): void {
    this.#server = server;
    this.link.attach(this.#peers, server);
    this.#snapshots.attach(server);
    this.#cluster ??= this.#makeCluster(server);
    for (const { nodeId, incarnation } of this.#peers.connected()) {
      server.peerConnected(nodeId, incarnation);
    }
    this.#followMembers();
    this.#warnOfJoin(server);
  }

  /** Who starts a node that has a cluster of its own with --join may think that it joins another. */
  #warnOfJoin(server: Server): void {
    if (!this.#isResumed || this.#config.join.length === 0) return;
    const { addresses } = server.driver.raft.status().configuration;
    const { clusterId, nodeId } = this.#storage.log.identity!;
    if (Object.keys(addresses).some((id) => Number(id) !== nodeId)) return;
    this.#logger.warn(
      "alone in the cluster of its data directory, --join is not followed: to join another " +
        "cluster, start with an empty directory",
      { cluster: clusterId },
    );
  }

  view(server: Server): ClusterView {
    this.#cluster ??= this.#makeCluster(server);
    return this.#cluster;
  }

  tick(nowMs: number): void {
    this.#followMembers();
    if (this.#isPeerLost) {
      this.#isPeerLost = false;
      this.#remember(() => this.#memory.lost());
      for (const id of this.#others) this.#peers.send(id, FRAME.records, this.#memory.encode());
    }
    this.#cluster?.tick(nowMs);
    this.#snapshots.tick(nowMs);
  }

  /** Lets another voter take over before this leader stops, where there is one. */
  async handOver(timeoutMs: number): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.driver.raft.status().configuration.voters.length < 2) return;
    const deadlineMs = server.monotonicMs() + timeoutMs;
    if (server.transferLeader(0) !== undefined) return;
    while (server.leadership.isLeader && server.monotonicMs() < deadlineMs) {
      await sleep(this.#outside.clock, 5);
    }
  }

  stop(): void {
    this.#founding?.stop();
    this.#snapshots.stop();
    this.#peers.stop();
  }

  /** Behind which index snapshots under way need the log; Infinity: none does. */
  snapshotHold(): number {
    return this.#snapshots.hold();
  }

  #openForSnapshot(node: NodeId, handler: FrameHandler): Promise<PeerConnection> {
    const address = this.#server?.driver.raft.status().configuration.addresses[node];
    if (address === undefined) return Promise.reject(new Error("it is no member any more"));
    return this.#peers.open(address, { nodeId: node, purpose: "snapshot" }, handler);
  }

  #makePeers(port: number): Peers {
    return new Peers({
      ...this.#outside,
      host: this.#config.peerHost,
      port,
      secret: this.#config.clusterSecret,
      payloadBytesMax: FRAME_PAYLOAD_BYTES_MAX,
      logger: this.#logger,
      local: () => this.#identity(),
      refuse: (remote, purpose) => this.#refuse(remote, purpose),
      mayBeNew: (nodeId) => this.#mayBeNew(nodeId),
      connected: ({ nodeId, incarnation }) => {
        this.#peers.send(nodeId, FRAME.records, this.#memory.encode());
        this.#server?.peerConnected(nodeId, incarnation);
      },
      disconnected: (nodeId) => {
        this.#isPeerLost = true;
        this.#server?.peerDisconnected(nodeId);
      },
      message: (from, frame) => {
        if (frame.type !== FRAME.records) return this.link.receive(from, frame);
        this.#remember(() => this.#memory.learn(frame.payload, this.#others));
      },
      accepted: (connection) => this.#accepted(connection),
    });
  }

  #makeFounding(): Founding {
    const { join, bootstrapExpect } = this.#config;
    this.#founding ??= new Founding({
      storage: this.#storage,
      requests: this.#requests,
      clock: this.#outside.clock,
      entropy: this.#outside.entropy,
      logger: this.#logger,
      address: this.address,
      join,
      bootstrapExpect,
    });
    return this.#founding;
  }

  #makeCluster(server: Server): Cluster {
    return new Cluster({
      server,
      identity: this.#storage.log.identity!,
      clock: this.#outside.clock,
      logger: this.#logger,
      isConnected: (node) => this.#peers.isConnected(node),
      ask: (_leader, target, request) => this.#askLeader(target, request),
      snapshot: () => this.#snapshots.take(),
      join: (addresses) => this.#join(addresses),
    });
  }

  async #join(addresses: readonly string[]): ReturnType<ClusterView["join"]> {
    const reasons: string[] = [];
    for (const address of addresses) {
      const reason = await this.#requests.whyNoOtherCluster(address);
      if (reason === undefined) {
        this.#beginAnew(addresses);
        return { ok: true };
      }
      reasons.push(`${address}: ${reason}`);
    }
    return { ok: false, error: `no member of a cluster is reached there (${reasons.join("; ")})` };
  }

  #identity(): PeerIdentity {
    const { identity } = this.#storage.log;
    const { address } = this;
    if (identity === undefined) {
      return { clusterId: "", nodeId: 0, incarnation: 0, runs: [], term: 0, lastIndex: 0, address };
    }
    const { hardState, lastIndex } = this.#storage.log;
    return { ...identity, term: hardState.term, lastIndex, address };
  }

  #refuse(remote: PeerIdentity, purpose: Purpose): string | undefined {
    const own = this.#identity();
    if (purpose === "request") {
      const isForeign = remote.clusterId !== "" && own.clusterId !== "" &&
        remote.clusterId !== own.clusterId;
      return isForeign ? OTHER_CLUSTER : undefined;
    }
    if (own.clusterId === "") return IN_NO_CLUSTER;
    if (remote.clusterId !== own.clusterId) return OTHER_CLUSTER;
    if (remote.nodeId === own.nodeId) {
      return "it has this node's identity: its data directory is a copy of this one's";
    }
    const { origins } = this.#storage.ops.applied;
    const applied = origins.find(({ node }) => node === remote.nodeId)?.incarnation ?? 0;
    const reason = this.#memory.refusal(remote, applied);
    if (reason === undefined) this.#remember(() => this.#memory.met(remote));
    return reason;
  }

  #remember(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#fatal(error);
    }
  }

  /**
   * Whether a node may have been admitted behind what this node knows to be committed: a leader
   * that it does not know must still reach a node that was away, or has just joined. What else is
   * in the log here may have another's entry in its place there.
   */
  #mayBeNew(nodeId: number): boolean {
    const commit = this.#server?.driver.raft.status().commit ?? this.#storage.log.hardState.commit;
    return nodeId > JOINED_ID_BASE + commit;
  }

  #accepted(connection: PeerConnection): FrameHandler {
    if (connection.purpose === "request") {
      return answerRequests(connection, (request) => this.#answer(request));
    }
    return this.#snapshots.accept(connection);
  }

  async #answer(body: unknown): Promise<unknown> {
    const parsed = v.safeParse(RequestSchema, body);
    if (!parsed.success) return { ok: false, error: parsed.issues[0].message };
    const request = parsed.output;
    if (request.kind === "standing") return this.#makeFounding().standing();
    if (this.#server === undefined || this.#cluster === undefined) {
      return { ok: false, error: IN_NO_CLUSTER };
    }
    const answer = await this.#cluster.request(request);
    if (!answer.ok || request.kind !== "join") return answer;
    const { configuration } = this.#server.driver.raft.status();
    return { ...answer, clusterId: this.#identity().clusterId, configuration };
  }

  async #askLeader(target: string, request: ClusterRequest): Promise<ClusterAnswer> {
    const parsed = v.safeParse(AnswerSchema, await this.#requests.ask(target, request));
    if (!parsed.success) throw new Error("no answer");
    const answer = parsed.output;
    return answer.ok ? { ok: true, id: answer.id } : answer;
  }

  /** Connects to the members as they are, and makes a new address of this node known. */
  #followMembers(): void {
    const server = this.#server;
    if (server === undefined) return;
    const { configuration, id: self, lastIndex } = server.driver.raft.status();
    if (configuration === this.#configuration) return;
    this.#configuration = configuration;
    const { voters, votersOutgoing, learners, addresses } = configuration;
    const members = new Map<number, string>();
    for (const member of [...voters, ...votersOutgoing, ...learners]) {
      // Another identity at this node's address is what it was before it lost its data.
      const isOld = addresses[member] === this.address;
      if (member !== self && !isOld && addresses[member] !== undefined) {
        members.set(member, addresses[member]);
      }
    }
    // Whose admission comes later in the log than what this node has of it; it may be its own.
    const isAwaited = (id: number) => id > JOINED_ID_BASE + lastIndex;
    this.#peers.setMembers(members, isAwaited);
    this.#others = new Set(members.keys());
    this.#remember(() => this.#memory.keep(this.#others));
    if (addresses[self] === undefined && !isAwaited(self)) {
      this.#logger.warn("this node was removed from its cluster: it may be stopped", {
        node: self,
      });
    }
    if (voters.length === 2 && votersOutgoing.length === 0) {
      this.#logger.warn("two voters: losing either one stops writes; add a third");
    }
    if (addresses[self] !== undefined && addresses[self] !== this.address) this.#moveTo(self);
  }

  #moveTo(self: number): void {
    const request = { kind: "set_address", id: self, address: this.address } as const;
    this.#cluster?.request(request).then((answer) => {
      if (answer.ok) return;
      this.#logger.warn("this node's new address is not known yet", { error: answer.error });
      this.#configuration = undefined;
    });
  }
}
