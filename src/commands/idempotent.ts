import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import {
  IDEMPOTENCY_KEY_BYTES_MAX,
  IDEMPOTENCY_TTL_MAX_MS,
  REMEMBERED_REPLY_BYTES_MAX,
} from "../constants.ts";
import { err, ErrorReply, type Reply } from "../resp/reply.ts";
import { packReply, unpackReply } from "../resp/reply_pack.ts";
import { fingerprint } from "../storage/idempotency_table.ts";
import type { Command, RunnableCommand } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { writeCommand } from "./define.ts";
import { errQuoting } from "./help.ts";
import { parseOffset } from "./parse.ts";

/** The command that runs for an argument list, or what is wrong with that. */
type Resolve = (argv: readonly Bytes[]) => RunnableCommand | ErrorReply;

const NAME = "idempotent";

/**
 * IDEMPOTENT key ttl-ms command [arg ...]
 *
 * Runs a command that writes and remembers its reply, errors too, for a time. With the same key and
 * command it then answers that reply and does nothing, on every node and after any failover. Not a
 * command of Redis.
 */
export function idempotentCommand(resolve: Resolve): Command {
  return {
    ...writeCommand(NAME, -4, (context, argv) => run(resolve, context, argv)),
    prepare: (argv, node) => {
      const inner = argv.slice(3);
      const command = resolve(inner);
      const isPrepared = !(command instanceof ErrorReply) && command.path === "write" &&
        command.name !== NAME && command.prepare !== undefined;
      return isPrepared ? [...argv.slice(0, 3), ...command.prepare!(inner, node)] : argv;
    },
  };
}

function run(resolve: Resolve, context: DataContext, argv: readonly Bytes[]): Reply {
  const [, key, ttl, ...inner] = argv;
  const { idempotency } = context;
  assert(idempotency !== undefined, "it runs where the state is changed");
  const ttlMs = parseOffset(ttl);
  const refused = refusedRequest(key, ttlMs) ?? refusedCommand(resolve, inner);
  if (refused !== undefined) return refused;
  const { db, logTimeMs } = context;
  const print = fingerprint(db, inner);
  const known = idempotency.find(key, logTimeMs);
  if (known !== undefined) {
    return known.fingerprint === print ? unpackReply(known.reply) : OTHER_COMMAND;
  }
  if (idempotency.isFull) return FULL;
  const command = resolve(inner);
  assert(!(command instanceof ErrorReply) && command.path === "write", "it was looked at above");
  const reply = command.run(context, inner);
  const packed = packReply(reply);
  const kept = packed.length > REMEMBERED_REPLY_BYTES_MAX ? packReply(NOT_KEPT) : packed;
  idempotency.add(key, print, logTimeMs + ttlMs!, kept);
  return reply;
}

function refusedRequest(key: Bytes, ttlMs: number | undefined): ErrorReply | undefined {
  if (key === "") return err("the idempotency key is empty");
  if (key.length > IDEMPOTENCY_KEY_BYTES_MAX) {
    return err(`the idempotency key is longer than ${IDEMPOTENCY_KEY_BYTES_MAX} bytes`);
  }
  if (ttlMs === undefined || ttlMs < 1 || ttlMs > IDEMPOTENCY_TTL_MAX_MS) {
    return err(`ttl-ms is not between 1 and ${IDEMPOTENCY_TTL_MAX_MS}`);
  }
  return undefined;
}

function refusedCommand(resolve: Resolve, inner: readonly Bytes[]): ErrorReply | undefined {
  const command = resolve(inner);
  if (command instanceof ErrorReply) return command;
  if (command.path === "write" && command.name !== NAME) return undefined;
  return errQuoting(`'${command.name}' is not a write command: it needs no idempotency key`);
}

const OTHER_COMMAND = err("this idempotency key was used with another command");
const FULL = new ErrorReply(
  "BUSY Too many replies are remembered by idempotency key, the command was not carried out",
);
const NOT_KEPT = err("the command was carried out before, its reply was too long to remember");
