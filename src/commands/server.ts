import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { REDIS_VERSION } from "../constants.ts";
import { err, ErrorReply, NOT_INTEGER, OK, type Reply, Status } from "../resp/reply.ts";
import { SYNTAX_ERROR, VerbatimReply } from "../resp/reply.ts";
import type { Command } from "./command.ts";
import { configCommand } from "./config.ts";
import { debugCommand } from "./debug.ts";
import { localCommand } from "./define_local.ts";
import { info } from "./info.ts";
import { latencyCommand } from "./latency.ts";
import type { LocalContext } from "./local_context.ts";
import { memoryCommand } from "./memory.ts";
import { optionName, parseOffset } from "./parse.ts";
import { moduleCommand } from "./module.ts";
import { slowLogCommand } from "./slowlog.ts";

const NO_REPLICAOF = err(
  "a Balsa node replicates within its Raft cluster and cannot follow another server",
);
const NO_FAILOVER = err("FAILOVER requires connected replicas.");

/** TIME: seconds and microseconds. */
function time({ node }: LocalContext): Reply {
  const nowUs = Math.floor(node.nowUs());
  return [String(Math.floor(nowUs / 1_000_000)), String(nowUs % 1_000_000)];
}

/** LOLWUT [VERSION version] [arguments]: every version has the one picture. */
function lolwut(_context: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length >= 3 && optionName(argv[1]) === "version" && parseInt64(argv[2]) === undefined) {
    return NOT_INTEGER;
  }
  return new VerbatimReply("txt", `Redis ver. ${REDIS_VERSION}\n`);
}

const SHUTDOWN_FLAGS = ["nosave", "save", "now", "force", "abort"];

/** SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: data is durable with or without SAVE. */
function shutdown({ node }: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply> {
  const flags = new Set(argv.slice(1).map(optionName));
  for (const flag of flags) if (!SHUTDOWN_FLAGS.includes(flag)) return SYNTAX_ERROR;
  if (flags.has("nosave") && flags.has("save")) return SYNTAX_ERROR;
  if (!flags.has("abort")) return node.shutdown();
  return flags.size > 1 ? SYNTAX_ERROR : err("No shutdown in progress.");
}

/** WAIT numreplicas timeout: as Redis, though a write is answered only when a majority has it. */
function wait({ node, client }: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply> {
  const wanted = parseOffset(argv[1]);
  if (wanted === undefined) return NOT_INTEGER;
  const timeoutMs = parseOffset(argv[2]);
  if (timeoutMs === undefined) return err("timeout is not an integer or out of range");
  if (timeoutMs < 0) return err("timeout is negative");
  return node.waitForReplicas(client, wanted, timeoutMs);
}

/**
 * WAITAOF numlocal numreplicas timeout (Redis 7.2): as WAIT, since a node that holds a write has
 * it on disk, and this one has what it has answered.
 */
function waitAof({ node, client }: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply> {
  const local = parseOffset(argv[1]);
  if (local === undefined) return NOT_INTEGER;
  if (local < 0 || local > 1) return err("value is out of range, value must between 0 and 1");
  const wanted = parseOffset(argv[2]);
  if (wanted === undefined) return NOT_INTEGER;
  if (wanted < 0) return err("value is out of range, must be positive");
  const timeoutMs = parseOffset(argv[3]);
  if (timeoutMs === undefined) return err("timeout is not an integer or out of range");
  if (timeoutMs < 0) return err("timeout is negative");
  return node.waitForReplicas(client, wanted, timeoutMs)
    .then((count) => count instanceof ErrorReply ? count : [1, count]);
}

/** ROLE */
function role({ node }: LocalContext): Reply {
  const view = node.role;
  if (view.role === "slave") {
    return ["slave", view.leaderHost, view.leaderPort, view.state, view.offset];
  }
  const replicas = view.replicas.map(({ host, port, offset }) => [
    host,
    String(port),
    String(offset),
  ]);
  return ["master", view.offset, replicas];
}

/** MONITOR */
function monitor({ client, node }: LocalContext): Reply {
  node.monitor(client);
  return OK;
}

/** LASTSAVE: what has been acknowledged is on disk, so the last save is now. */
function lastSave({ node }: LocalContext): Reply {
  return Math.floor(node.nowUs() / 1_000_000);
}

/** BGSAVE [SCHEDULE]: nothing is left to save. */
function bgsave(_context: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 2 || (argv.length === 2 && optionName(argv[1]) !== "schedule")) {
    return SYNTAX_ERROR;
  }
  return new Status("Background saving started");
}

/** REPLICAOF host port; REPLICAOF NO ONE, which is always so. */
function replicaof(_context: LocalContext, argv: readonly Bytes[]): Reply {
  return optionName(argv[1]) === "no" && optionName(argv[2]) === "one" ? OK : NO_REPLICAOF;
}

/** The commands on the node. */
export const serverCommands: readonly Command[] = [
  localCommand("info", -1, info),
  localCommand("time", 1, time),
  localCommand("lolwut", -1, lolwut),
  localCommand("shutdown", -1, shutdown),
  localCommand("wait", 3, wait),
  localCommand("waitaof", 4, waitAof),
  localCommand("role", 1, role),
  localCommand("monitor", 1, monitor),
  localCommand("lastsave", 1, lastSave),
  localCommand("save", 1, () => OK),
  localCommand("bgsave", -1, bgsave),
  localCommand(
    "bgrewriteaof",
    1,
    () => new Status("Background append only file rewriting started"),
  ),
  localCommand("replicaof", 3, replicaof),
  localCommand("slaveof", 3, replicaof),
  localCommand("failover", -1, () => NO_FAILOVER),
  configCommand,
  moduleCommand,
  slowLogCommand,
  latencyCommand,
  memoryCommand,
  debugCommand,
];
