import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import type { Bytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { ClusterView } from "../commands/cluster_view.ts";
import type { ConfigStore } from "../commands/config_store.ts";
import type { ClientView, NodeView, RoleView } from "../commands/local_context.ts";
import type { TrackingOptions } from "../commands/tracking_view.ts";
import type { PubSubView } from "../commands/pubsub_view.ts";
import type { ErrorReply } from "../resp/reply.ts";
import { formatInfo, type InfoSources } from "./info.ts";
import type { Limits } from "./limits.ts";
import { waitForReplicas } from "./replica_wait.ts";
import { roleOf } from "./role.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";
import type { SlowLog } from "./slow_log.ts";

export interface NodeViewOptions {
  readonly server: Server;
  readonly config: ConfigStore;
  readonly limits: Limits;
  readonly slowLog: SlowLog;
  readonly cluster: ClusterView;
  readonly clock: Clock;
  readonly infoSources: () => InfoSources;
  /** Stops the node; the promise settles only when that failed. */
  readonly shutdown: () => Promise<ErrorReply>;
}

/** What local commands see and do of this node. */
export class ServerNodeView implements NodeView {
  readonly slowLog: SlowLog;
  readonly cluster: ClusterView;
  readonly pubsub: PubSubView;
  readonly #options: NodeViewOptions;

  constructor(options: NodeViewOptions) {
    this.#options = options;
    this.slowLog = options.slowLog;
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
    return this.#options.limits.password !== "";
  }

  checkPassword(user: Bytes, password: Bytes): boolean {
    const expected = this.#options.limits.password;
    if (user !== "default") return false;
    // Without a password the default user takes any, as Redis's "nopass" does.
    return expected === "" || timingSafeEqual(hash(password), hash(expected));
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
    return this.#options.config.set(pairs);
  }

  configResetStat(): void {
    this.#options.server.metrics.reset();
  }

  shutdown(): Promise<ErrorReply> {
    return this.#options.shutdown();
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
    this.#options.server.pause(timeoutMs, mode);
  }
}

/** Hashes have one length, so that comparing them tells nothing of it. */
function hash(text: Bytes): Buffer {
  return createHash("sha256").update(Buffer.from(text, "latin1")).digest();
}
