import type { Bytes } from "../base/bytes.ts";
import type { RunnableCommand } from "../commands/command.ts";
import { err, type ErrorReply } from "../resp/reply.ts";
import type { Session } from "./session.ts";

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

/** The error for a command that a RESP2 connection may not run while it listens to channels. */
export function notForSubscriber(
  { type, protocol }: Session,
  { name }: RunnableCommand,
): ErrorReply | undefined {
  if (type !== "pubsub" || protocol !== 2 || FOR_SUBSCRIBERS.has(name)) return undefined;
  return err(
    `Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are ` +
      "allowed in this context",
  );
}
