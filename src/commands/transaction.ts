import { err, OK, type Reply } from "../resp/reply.ts";
import type { Command } from "./command.ts";
import { ALL_KEYS } from "./define.ts";
import { localCommand } from "./define_local.ts";
import type { LocalContext } from "./local_context.ts";

const NESTED = err("MULTI calls can not be nested");
const WATCH_INSIDE = err("WATCH inside MULTI is not allowed");
const DISCARD_WITHOUT = err("DISCARD without MULTI");
const EXEC_WITHOUT = err("EXEC without MULTI");

/** MULTI: commands are queued from now on. */
function multi({ client }: LocalContext): Reply {
  if (client.transaction !== undefined) return NESTED;
  client.beginTransaction();
  return OK;
}

/** DISCARD */
function discard({ client }: LocalContext): Reply {
  if (client.transaction === undefined) return DISCARD_WITHOUT;
  client.endTransaction();
  return OK;
}

/** UNWATCH */
function unwatch({ client }: LocalContext): Reply {
  client.unwatch();
  return OK;
}

/** The commands on transactions. Behind MULTI the server runs EXEC itself, and WATCH elsewhere. */
export const transactionCommands: readonly Command[] = [
  localCommand("multi", 1, multi),
  localCommand("exec", 1, () => EXEC_WITHOUT),
  localCommand("discard", 1, discard),
  { ...localCommand("watch", -2, () => WATCH_INSIDE), keys: ALL_KEYS },
  localCommand("unwatch", 1, unwatch),
];
