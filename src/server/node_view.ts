import { randomBytes } from "node:crypto";
import type { Bytes } from "../base/bytes.ts";
import type { Histogram } from "../base/histogram.ts";
import type { Clock } from "../base/clock.ts";
import type { AclView } from "../commands/acl_view.ts";
import type { ClusterView } from "../commands/cluster_view.ts";
import type { ConfigStore } from "../commands/config_store.ts";
import type { ClientView, LatencyView, NodeView, RoleView } from "../commands/local_context.ts";
import type { MigrateRequest } from "../commands/migrate.ts";
import type { TrackingOptions } from "../commands/tracking_view.ts";
import type { PubSubView } from "../commands/pubsub_view.ts";
import { err, type ErrorReply, type Reply } from "../resp/reply.ts";
import type { AccessControl } from "./access_control.ts";
import { formatInfo, type InfoSources } from "./info.ts";
import type { LatencyMonitor } from "./latency_monitor.ts";
import type { Limits } from "./limits.ts";
import { waitForReplicas } from "./replica_wait.ts";
import { roleOf } from "./role.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";
import type { SlowLog } from "./slow_log.ts";

const OF_USER = err(
  "CONFIG SET failed (possibly related to argument 'requirepass') - " +
    "ACL SETUSER has changed the default user: change its password there",
);

export interface NodeViewOptions {
  readonly server: Server;
  readonly config: ConfigStore;
  readonly limits: Limits;
  readonly slowLog: SlowLog;
  readonly latencyMonitor: LatencyMonitor;
  readonly cluster: ClusterView;
  readonly clock: Clock;
  readonly infoSources: () => InfoSources;
  /** Stops the node; the promise settles only when that failed. */
  readonly shutdown: () => Promise<ErrorReply>;
}

/** What local commands see and do of this node. */
export class ServerNodeView implements NodeView {
  readonly slowLog: SlowLog;
  readonly latencyMonitor: LatencyMonitor;
  readonly cluster: ClusterView;
  readonly pubsub: PubSubView;
  readonly #options: NodeViewOptions;

  constructor(options: NodeViewOptions) {
    this.#options = options;
    this.slowLog = options.slowLog;
    this.latencyMonitor = options.latencyMonitor;
    this.cluster = options.cluster;
    const { server } = options;
    this.pubsub = {
      subscription: (client) => server.features.subscriptionOf(client as Session),
      publish: (...message) => server.features.pubsub.publish(...message),
      names: (space) => server.features.pubsub.names(space),
      count: (...name) => server.features.pubsub.count(...name),
    };
  }

  nowUs(): number {
    return this.#options.server.wallUs();
  }

  get passwordRequired(): boolean {
    return this.#access.passwordRequired;
  }

  get #access(): AccessControl {
    return this.#options.server.features.access;
  }

  get acl(): AclView {
    const access = this.#access;
    return {
      names: access.names,
      user: (name) => access.user(name),
      checkPassword: (...pair) => access.checkPassword(...pair),
      log: { entries: access.log, reset: () => access.log = [] },
      randomHex: (digits) => randomBytes(Math.ceil(digits / 2)).toString("hex").slice(0, digits),
      nodePassword: access.nodePassword(),
      newUserChannels: this.#options.config.text("acl-pubsub-default") as "resetchannels",
    };
  }

  authenticate(client: ClientView, user: Bytes, password: Bytes, word: Bytes): boolean {
    return this.#access.authenticate(client as Session, user, password, word);
  }

  clients(): Iterable<ClientView> {
    return this.#options.server.sessions.values();
  }

  client(id: number): ClientView | undefined {
    return this.#options.server.sessions.get(id);
  }

  info(sections: readonly string[]): Bytes {
    return formatInfo(sections, this.#options.infoSources());
  }

  configGet(pattern: Bytes): readonly (readonly [Bytes, Bytes])[] {
    return this.#options.config.get(pattern);
  }

  configSet(pairs: readonly (readonly [Bytes, Bytes])[]): ErrorReply | undefined {
    const isOfUser = this.#access.isDefaultChanged;
    if (isOfUser && pairs.some(([name]) => name.toLowerCase() === "requirepass")) return OF_USER;
    return this.#options.config.set(pairs);
  }

  configResetStat(): void {
    const { server, infoSources } = this.#options;
    server.metrics.reset();
    server.metrics.freedBefore = infoSources().cache().freedObjects;
  }

  latencies(): ReadonlyMap<string, LatencyView> {
    const { limits, server } = this.#options;
    const { commands } = server.metrics;
    return new Map(
      limits.tracksLatency
        ? [...commands].filter(([, { calls }]) => calls > 0).map(([name, { calls, latencyMs }]) =>
          [name, { calls, upToUs: cumulated(latencyMs) }] as const
        )
        : [],
    );
  }

  shutdown(): Promise<ErrorReply> {
    return this.#options.shutdown();
  }

  setActiveExpire(on: boolean): void {
    this.#options.server.features.expiresActively = on;
  }

  reload(): void {
    this.#options.server.ops.reload?.();
  }

  sleepBlocking(milliseconds: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  }

  get role(): RoleView {
    return roleOf(this.#options.server);
  }

  waitForReplicas(
    client: ClientView,
    wanted: number,
    timeoutMs: number,
  ): Promise<number | ErrorReply> {
    return waitForReplicas(this.#options, client as Session, wanted, timeoutMs);
  }

  migrate(db: number, request: MigrateRequest): Promise<Reply> {
    return this.#options.server.features.migrations.run(db, request);
  }

  readonly tracking = {
    enable: (client: ClientView, options: TrackingOptions) =>
      this.#options.server.features.tracking.enable(client as Session, options),
    disable: (client: ClientView) =>
      this.#options.server.features.tracking.disable(client as Session),
  };

  monitor(client: ClientView): void {
    this.#options.server.features.monitor(client as Session);
  }

  async unblockClient(id: number, reply: "timeout" | "error"): Promise<boolean> {
    return await this.#options.server.sessions.get(id)?.blocked?.end(reply) ?? false;
  }

  pauseClients(timeoutMs: number, mode: "write" | "all"): void {
    const { server } = this.#options;
    server.pause.set(server.monotonicMs() + timeoutMs, timeoutMs === 0 ? "none" : mode);
  }
}

/** The buckets that hold something; what is beyond the last bound counts with it. */
function cumulated({ bounds, counts }: Histogram): [number, number][] {
  const buckets: [number, number][] = [];
  let seen = 0;
  for (let bucket = 0; bucket < bounds.length; bucket++) {
    const isLast = bucket === bounds.length - 1;
    const here = counts[bucket] + (isLast ? counts[bounds.length] : 0);
    seen += here;
    if (here > 0) buckets.push([Math.round(bounds[bucket] * 1000), seen]);
  }
  return buckets;
}
