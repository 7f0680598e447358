import type { Clock } from "../base/clock.ts";
import type { ChangeRecorder } from "../storage/change_recorder.ts";
import type { Answers } from "./answers.ts";
import type { PeerLink } from "./peer_link.ts";
import { PubSub, type Subscription } from "./pubsub.ts";
import { PubSubPeers } from "./pubsub_peers.ts";
import type { Session } from "./session.ts";
import { Touches } from "./touches.ts";
import { Transactions, type TransactionsOptions } from "./transactions.ts";

export interface ClientFeaturesOptions extends Omit<TransactionsOptions, "touches"> {
  readonly answers: Answers;
  readonly clock: Clock;
  readonly link: PeerLink;
  readonly changes: ChangeRecorder;
}

/** What clients have on a node beside single commands: transactions, channels. */
export class ClientFeatures {
  readonly pubsub = new PubSub();
  readonly pubsubPeers: PubSubPeers;
  readonly touches: Touches;
  readonly transactions: Transactions;
  readonly #answers: Answers;

  constructor(options: ClientFeaturesOptions) {
    const { answers, clock, link, changes } = options;
    this.#answers = answers;
    this.pubsubPeers = new PubSubPeers(this.pubsub, link, clock);
    this.pubsub.relay = this.pubsubPeers;
    this.touches = new Touches(changes);
    this.transactions = new Transactions({ ...options, touches: this.touches });
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
