import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/clock.ts";
import type { ScriptSurroundings } from "../commands/script_surroundings.ts";
import { Status } from "../resp/reply.ts";
import type { NodeId } from "../raft/types.ts";
import type { Answers } from "./answers.ts";
import { AccessControl } from "./access_control.ts";
import type { BesideKeys } from "./beside_keys.ts";
import { Blocking, type BlockingOptions } from "./blocking.ts";
import { KeyspaceEvents, type KeyspaceEventsOptions } from "./keyspace_events.ts";
import { MemoryLimit } from "./memory_limit.ts";
import { Migrations } from "./migrations.ts";
import { Monitors } from "./monitors.ts";
import { ObservedCalls } from "./observed_calls.ts";
import type { PeerLink } from "./peer_link.ts";
import { MOVED_NAME } from "./moved_key.ts";
import { PubSub, type Subscription } from "./pubsub.ts";
import { PubSubPeers } from "./pubsub_peers.ts";
import { Outlets } from "./script_outlets.ts";
import type { Session } from "./session.ts";
import { EXEC_NAME } from "./transaction_entry.ts";
import { Touches } from "./touches.ts";
import { Tracking, type TrackingOfNodeOptions } from "./tracking.ts";
import { Transactions, type TransactionsOptions } from "./transactions.ts";
import { WaiterDrops, type WaiterDropsOptions } from "./waiter_drops.ts";
import { Waiters } from "./waiters.ts";

type PartOptions = Omit<
  & TransactionsOptions
  & BlockingOptions
  & WaiterDropsOptions
  & KeyspaceEventsOptions
  & TrackingOfNodeOptions,
  "touches" | "waiters" | "enqueue" | "pubsub" | "monitor" | "noting" | "refusal"
>;

export interface ClientFeaturesOptions extends PartOptions {
  readonly answers: Answers;
  readonly clock: Clock;
  readonly link: PeerLink;
  readonly beside: BesideKeys;
  readonly logger: Logger;
}

/** What clients have on a node beside single commands: transactions, channels, waiting. */
export class ClientFeatures {
  readonly pubsub = new PubSub();
  readonly memoryLimit: MemoryLimit;
  /** DEBUG SET-ACTIVE-EXPIRE: as leader, the node deletes expired keys that nobody asks for. */
  expiresActively = true;
  readonly scripting: ScriptSurroundings;
  readonly pubsubPeers: PubSubPeers;
  readonly touches: Touches;
  readonly transactions: Transactions;
  /** The commands of all nodes that wait for data. */
  readonly waiters: Waiters;
  readonly blocking: Blocking;
  readonly drops: WaiterDrops;
  readonly events: KeyspaceEvents;
  readonly monitors: Monitors;
  readonly tracking: Tracking;
  readonly access: AccessControl;
  readonly migrations: Migrations;
  readonly #answers: Answers;

  constructor(options: ClientFeaturesOptions) {
    const { answers, clock, link, beside } = options;
    this.#answers = answers;
    this.pubsubPeers = new PubSubPeers(this.pubsub, link, clock);
    this.pubsub.relay = this.pubsubPeers;
    this.scripting = beside.scripting;
    this.memoryLimit = new MemoryLimit(this.scripting);
    this.touches = new Touches(beside.changes.recorder);
    this.access = new AccessControl({ ...options, users: beside.users });
    this.transactions = new Transactions({
      ...options,
      refusal: (...request) => this.access.refusalAtExec(...request),
      touches: this.touches,
      monitor: (...command) => this.monitors.feed(...command),
      noting: (...read) => this.tracking.noting(...read),
    });
    this.migrations = new Migrations(options);
    this.waiters = new Waiters(() => this.touches.update(), beside.waiters);
    this.touches.add(this.waiters);
    this.blocking = new Blocking({
      ...options,
      touches: this.touches,
      waiters: () => this.waiters,
      enqueue: (pending) => options.writes.enqueue(pending),
    });
    this.drops = new WaiterDrops(options, this.waiters);
    this.tracking = new Tracking({ ...options, touches: this.touches });
    this.monitors = new Monitors(() => clock.wallUs(), (isUsed) => {
      answers.onBegin = !isUsed ? undefined : (session, command, argv) => {
        // EXEC tells of its commands, and then of itself; so does MIGRATE.
        if (argv[0] !== EXEC_NAME && argv[0] !== MOVED_NAME) {
          this.monitors.feed(session, command, argv);
        }
      };
    });
    const calls = new ObservedCalls(answers, this.monitors);
    this.scripting.outlets = new Outlets(this.pubsub, options.logger, calls);
    this.events = new KeyspaceEvents({ ...options, pubsub: this.pubsub, touches: this.touches });
  }

  peerConnected(node: NodeId, incarnation: number): void {
    this.pubsubPeers.connected(node);
    this.drops.connected(node, incarnation);
  }

  peerDisconnected(node: NodeId, isLeader: boolean): void {
    this.pubsubPeers.disconnected(node);
    this.drops.disconnected(node, isLeader);
  }

  /** The state is now that of a snapshot: whatever may have changed unseen has. */
  snapshotInstalled(): void {
    this.blocking.snapshotInstalled();
    this.transactions.watchers.allTouched();
    this.tracking.flushed();
  }

  /** A session is told of all commands from now on, until it is released. */
  monitor(session: Session): void {
    if (session.monitor !== undefined) return;
    const close = this.monitors.watch((line) => {
      this.#answers.touch(session);
      session.deliver(new Status(line));
    });
    session.monitor = { close };
  }

  /** What a session listens to, made at its first subscription. */
  subscriptionOf(session: Session): Subscription {
    session.subscription ??= this.pubsub.open({
      receive: (message) => {
        this.#answers.touch(session);
        session.deliver(message);
      },
    }, (total) => session.type = total > 0 ? "pubsub" : "normal");
    return session.subscription;
  }
}
