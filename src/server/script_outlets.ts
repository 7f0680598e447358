import { type Bytes, utf8Decode } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import type { CallOutlet, ScriptOutlets } from "../commands/script_surroundings.ts";
import type { PubSub } from "./pubsub.ts";

const LOG_TEXT_MAX = 1024;

/** What leaves a script beside its reply, on this node. */
export class Outlets implements ScriptOutlets {
  readonly #pubsub: PubSub;
  readonly #logger: Logger;
  readonly calls: CallOutlet;

  constructor(pubsub: PubSub, logger: Logger, calls: CallOutlet) {
    this.calls = calls;
    this.#pubsub = pubsub;
    this.#logger = logger;
  }

  publish(space: "channel" | "shard", channel: Bytes, message: Bytes): void {
    this.#pubsub.publishHere(space, channel, message);
  }

  log(level: number, text: Bytes): void {
    const fields = { text: utf8Decode(text.slice(0, LOG_TEXT_MAX)) };
    if (level >= 3) this.#logger.warn("a script says", fields);
    else if (level === 2) this.#logger.info("a script says", fields);
    else this.#logger.debug("a script says", fields);
  }
}
