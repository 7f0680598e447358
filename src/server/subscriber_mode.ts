import type { Bytes } from "../base/bytes.ts";
import type { RunnableCommand } from "../commands/command.ts";
import { err, type ErrorReply } from "../resp/reply.ts";

const FOR_SUBSCRIBERS: ReadonlySet<Bytes> = new Set([
  "subscribe",
  "unsubscribe",
  "psubscribe",
  "punsubscribe",
  "ssubscribe",
  "sunsubscribe",
  "ping",
  "quit",
  "reset",
]);

/** Whether a RESP2 connection may run a command while it listens to channels. */
export function isForSubscribers(command: RunnableCommand): boolean {
  return FOR_SUBSCRIBERS.has(command.name);
}

/** The error for one that it may not run. */
export function notForSubscribers(name: Bytes): ErrorReply {
  return err(
    `Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are ` +
      "allowed in this context",
  );
}
