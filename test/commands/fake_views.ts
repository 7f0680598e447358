import type { Bytes } from "../../src/base/bytes.ts";
import { ConfigStore } from "../../src/commands/config_store.ts";
import { defaultUser } from "../../src/commands/acl_user.ts";
import type { AclView } from "../../src/commands/acl_view.ts";
import { resolve } from "../../src/commands/table.ts";
import type {
  ClientView,
  Consistency,
  LatencyView,
  NodeView,
  RoleView,
  SlowLogEntry,
} from "../../src/commands/local_context.ts";
import type {
  ClusterAnswer,
  ClusterRequest,
  ClusterStatus,
  ClusterView,
} from "../../src/commands/cluster_view.ts";
import { encodeReply } from "../../src/resp/encoder.ts";
import type { TrackingOptions, TrackingState } from "../../src/commands/tracking_view.ts";
import type { PubSubView } from "../../src/commands/pubsub_view.ts";
import { LatencyMonitor } from "../../src/server/latency_monitor.ts";
import { PubSub, type Subscription } from "../../src/server/pubsub.ts";
import { Transaction } from "../../src/server/transaction.ts";
import { err, ErrorReply, type PushReply, type Reply } from "../../src/resp/reply.ts";

export const NOW_US = 1_700_000_000_123_456;

/** A connection that exists in memory only. */
export class FakeClient implements ClientView {
  readonly id: number;
  readonly remoteAddress: string;
  readonly localAddress = "127.0.0.1:6379";
  type: "normal" | "pubsub" = "normal";
  readonly createdAtMs = NOW_US / 1000 - 5000;
  readonly lastActiveMs = NOW_US / 1000 - 1000;
  lastCommand = "NULL";
  queryBufferBytes = 0;
  outputBufferBytes = 0;
  name = "";
  libName = "";
  libVersion = "";
  db = 0;
  protocol: 2 | 3 = 2;
  authenticated = true;
  user = "default";
  noEvict = false;
  noTouch = false;
  subscription: Subscription | undefined;
  transaction: Transaction | undefined;
  readonly watches = undefined;
  readonly blocked = undefined;
  readonly monitor = undefined;
  tracking: TrackingState | undefined;
  consistency: Consistency = "linearizable";
  replyMode: "on" | "off" | "skip" = "on";
  readonly messages: PushReply[] = [];
  /** How it was closed: after its replies, or at once. */
  closed: "later" | "now" | undefined;

  constructor(id: number) {
    this.id = id;
    this.remoteAddress = `127.0.0.1:${50000 + id}`;
  }

  beginTransaction(): void {
    this.transaction = new Transaction();
  }

  endTransaction(): void {
    this.transaction = undefined;
  }

  unwatch(): void {}

  close(now?: boolean): void {
    this.closed = now ? "now" : "later";
  }

  reset(): void {
    this.name = "";
    this.db = 0;
    this.protocol = 2;
    this.replyMode = "on";
    this.consistency = "linearizable";
  }
}

/** A cluster whose leader is node 1, seen from there; it answers requests with what is set. */
export class FakeCluster implements ClusterView {
  current: ClusterStatus = {
    clusterId: "0123456789abcdef0123456789abcdef",
    nodeId: 1,
    role: "leader",
    term: 3,
    leader: 1,
    commit: 12,
    applied: 12,
    lastIndex: 13,
    snapshotIndex: 4,
    digest: "00c0ffee",
    members: [
      { id: 1, address: "127.0.0.1:16379", role: "voter", isLeader: true, isConnected: true },
      {
        id: 7,
        address: "127.0.0.1:16380",
        role: "learner",
        isLeader: false,
        isConnected: false,
        match: 10,
        lag: 3,
        state: "probe",
      },
    ],
  };
  readonly requests: ClusterRequest[] = [];
  answer: ClusterAnswer = { ok: true, id: 7 };
  snapshotAnswer: Awaited<ReturnType<ClusterView["snapshot"]>> = { ok: true, index: 12 };

  status(): ClusterStatus {
    return this.current;
  }
  request(request: ClusterRequest): Promise<ClusterAnswer> {
    this.requests.push(request);
    return Promise.resolve(this.answer);
  }
  join(addresses: readonly string[]): ReturnType<ClusterView["join"]> {
    return Promise.resolve({ ok: false, error: `cannot join ${addresses.join()}` });
  }
  holders(): Promise<number> {
    return Promise.resolve(0);
  }
  snapshot(): ReturnType<ClusterView["snapshot"]> {
    return Promise.resolve(this.snapshotAnswer);
  }
}

/** A node with connections in memory. */
export class FakeNode implements NodeView {
  readonly config = new ConfigStore();
  readonly all: FakeClient[] = [];
  readonly cluster = new FakeCluster();
  readonly hub = new PubSub();
  readonly pubsub: PubSubView = {
    subscription: (client) => {
      const fake = client as FakeClient;
      fake.subscription ??= this.hub.open({ receive: (message) => fake.messages.push(message) });
      return fake.subscription;
    },
    publish: (...message) => this.hub.publish(...message),
    names: (space) => this.hub.names(space),
    count: (...name) => this.hub.count(...name),
  };
  readonly latencyMonitor = new LatencyMonitor();
  slowLog = { entries: [] as SlowLogEntry[], reset: () => {} };
  role: RoleView = { role: "master", offset: 0, replicas: [] };
  sleptMs = 0;
  paused: readonly [number, string] | undefined;
  infoAsked: readonly string[] = [];

  nowUs(): number {
    return NOW_US;
  }
  get passwordRequired(): boolean {
    return this.config.text("requirepass") !== "";
  }
  get acl(): AclView {
    const user = (name: Bytes) =>
      name === "default" ? defaultUser(this.config.text("requirepass")) : undefined;
    return {
      names: ["default"],
      user,
      checkPassword: (...pair) => this.#checkPassword(...pair),
      log: { entries: [], reset: () => {} },
      randomHex: (digits) => "0".repeat(digits),
      nodePassword: this.config.text("requirepass"),
      newUserChannels: "resetchannels",
    };
  }

  authenticate(client: ClientView, user: Bytes, password: Bytes): boolean {
    if (!this.#checkPassword(user, password)) return false;
    client.authenticated = true;
    client.user = user;
    return true;
  }

  #checkPassword(user: Bytes, password: Bytes): boolean {
    if (user !== "default") return false;
    return !this.passwordRequired || password === this.config.text("requirepass");
  }
  clients(): Iterable<ClientView> {
    return this.all;
  }
  client(id: number): ClientView | undefined {
    return this.all.find((client) => client.id === id);
  }
  info(sections: readonly string[]): Bytes {
    this.infoAsked = sections;
    return "";
  }
  configGet(pattern: Bytes): readonly (readonly [Bytes, Bytes])[] {
    return this.config.get(pattern);
  }
  configSet(pairs: readonly (readonly [Bytes, Bytes])[]): ErrorReply | undefined {
    return this.config.set(pairs);
  }
  configResetStat(): void {}
  shutdown(): Promise<ErrorReply> {
    return Promise.resolve(err("shutdown was asked for"));
  }
  setActiveExpire(): void {}
  reload(): void {}
  latencies(): ReadonlyMap<string, LatencyView> {
    return new Map();
  }

  sleepBlocking(milliseconds: number): void {
    this.sleptMs = milliseconds;
  }
  waitForReplicas(): Promise<number> {
    return Promise.resolve(0);
  }
  migrate(): Promise<Reply> {
    return Promise.resolve(err("MIGRATE was asked for"));
  }
  monitor(): void {}
  readonly tracking = {
    enable: (client: ClientView, options: TrackingOptions) => {
      (client as FakeClient).tracking = { ...options, isCaching: false, isBroken: false };
    },
    disable: (client: ClientView) => {
      (client as FakeClient).tracking = undefined;
    },
  };
  unblockClient(): Promise<boolean> {
    return Promise.resolve(false);
  }
  pauseClients(timeoutMs: number, mode: "write" | "all"): void {
    this.paused = [timeoutMs, mode];
  }

  connect(): FakeClient {
    const client = new FakeClient(this.all.length + 1);
    this.all.push(client);
    return client;
  }

  /** The reply of a local command. */
  async run(client: FakeClient, argv: readonly Bytes[]): Promise<Reply> {
    const command = resolve(argv);
    if (command instanceof ErrorReply) return command;
    if (command.path !== "local") throw new Error(`${command.name} is not local`);
    client.lastCommand = command.name;
    return await command.run({ client, node: this }, argv);
  }

  /** The reply in the client's protocol. */
  async runRaw(client: FakeClient, argv: readonly Bytes[]): Promise<Bytes> {
    return encodeReply(await this.run(client, argv), client.protocol);
  }
}
