import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, OK, type Reply } from "../resp/reply.ts";
import { SYNTAX_ERROR, VerbatimReply } from "../resp/reply.ts";
import { clientKill } from "./client_kill.ts";
import { clientInfoLine, parseClientType } from "./client_info.ts";
import { localContainer } from "./define_local.ts";
import { errQuoting, helpReply, quoted, unknownSubcommandOrArity } from "./help.ts";
import { isConsistency, type LocalContext } from "./local_context.ts";
import { optionName, parseOffset } from "./parse.ts";
import { trackingSubcommands } from "./tracking.ts";

export const INVALID_CLIENT_NAME = err(
  "Client names cannot contain spaces, newlines or special characters.",
);

const ATTRIBUTE = /^[!-~]*$/;

/** Whether `text` may be a client's name or library: printable ASCII without blanks. */
export function isClientAttribute(text: Bytes): boolean {
  return ATTRIBUTE.test(text);
}

/** CLIENT SETNAME connection-name; an empty name removes it. */
function setName({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  if (!isClientAttribute(argv[2])) return INVALID_CLIENT_NAME;
  client.name = argv[2];
  return OK;
}

/** CLIENT GETNAME */
function getName({ client }: LocalContext): Reply {
  return client.name === "" ? null : client.name;
}

/** CLIENT SETINFO <LIB-NAME libname | LIB-VER libver> (Redis 7.2) */
function setInfo({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  const attribute = optionName(argv[2]);
  if (attribute !== "lib-name" && attribute !== "lib-ver") {
    return errQuoting(`Unrecognized option '${quoted(argv[2])}'`);
  }
  if (!isClientAttribute(argv[3])) {
    return err(`${argv[2]} cannot contain spaces, newlines or special characters.`);
  }
  if (attribute === "lib-name") client.libName = argv[3];
  else client.libVersion = argv[3];
  return OK;
}

/** CLIENT INFO */
function info({ client, node }: LocalContext, argv: readonly Bytes[]): Reply {
  const line = clientInfoLine(client, node.nowUs() / 1000, { client, argv });
  return new VerbatimReply("txt", line + "\n");
}

/** CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id …] */
function list({ client: asking, node }: LocalContext, argv: readonly Bytes[]): Reply {
  const nowMs = node.nowUs() / 1000;
  const request = { client: asking, argv };
  const filter = argv.length > 2 ? optionName(argv[2]) : "";
  let text = "";
  if (argv.length === 4 && filter === "type") {
    const type = parseClientType(argv[3]);
    if (type instanceof ErrorReply) return type;
    for (const client of node.clients()) {
      if (client.type === type) text += clientInfoLine(client, nowMs, request) + "\n";
    }
  } else if (argv.length > 3 && filter === "id") {
    for (let i = 3; i < argv.length; i++) {
      const id = parseOffset(argv[i]);
      if (id === undefined) return err("Invalid client ID");
      const client = node.client(id);
      if (client !== undefined) text += clientInfoLine(client, nowMs, request) + "\n";
    }
  } else if (argv.length !== 2) {
    return SYNTAX_ERROR;
  } else {
    for (const client of node.clients()) text += clientInfoLine(client, nowMs, request) + "\n";
  }
  return new VerbatimReply("txt", text);
}

/** ON or OFF in any case, or undefined. */
function parseSwitch(text: Bytes): boolean | undefined {
  const word = optionName(text);
  return word === "on" ? true : word === "off" ? false : undefined;
}

/** CLIENT NO-EVICT <ON | OFF> */
function noEvict({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  const on = parseSwitch(argv[2]);
  if (on === undefined) return SYNTAX_ERROR;
  client.noEvict = on;
  return OK;
}

/** CLIENT NO-TOUCH <ON | OFF> (Redis 7.2) */
function noTouch({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  const on = parseSwitch(argv[2]);
  if (on === undefined) return SYNTAX_ERROR;
  client.noTouch = on;
  return OK;
}

/** CLIENT CONSISTENCY [LINEARIZABLE | LEASE | STALE]: the level of this connection's reads. */
function consistency({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length === 2) return client.consistency;
  const level = optionName(argv[2]);
  if (argv.length > 3 || !isConsistency(level)) return SYNTAX_ERROR;
  client.consistency = level;
  return OK;
}

/** CLIENT REPLY <ON | OFF | SKIP>. The server drops what the new mode says is not sent. */
function reply({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  const mode = optionName(argv[2]);
  if (mode !== "on" && mode !== "off" && mode !== "skip") return SYNTAX_ERROR;
  if (mode !== "skip" || client.replyMode === "on") client.replyMode = mode;
  return OK;
}

/** CLIENT UNBLOCK client-id [TIMEOUT | ERROR] */
function unblock({ node }: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply> {
  const mode = optionName(argv[3] ?? "timeout");
  if (argv.length > 4) return unknownSubcommandOrArity("client", argv[1]);
  if (mode !== "timeout" && mode !== "error") {
    return err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const id = parseOffset(argv[2]);
  if (id === undefined) return err("value is not an integer or out of range");
  return node.unblockClient(id, mode).then((isUnblocked) => isUnblocked ? 1 : 0);
}

/** CLIENT PAUSE timeout [WRITE | ALL] */
function pause({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const mode = optionName(argv[3] ?? "all");
  if (mode !== "write" && mode !== "all") return err("CLIENT PAUSE mode must be WRITE or ALL");
  const timeoutMs = parseOffset(argv[2]);
  if (timeoutMs === undefined) return err("timeout is not an integer or out of range");
  if (timeoutMs < 0) return err("timeout is negative");
  node.pauseClients(timeoutMs, mode);
  return OK;
}

/** CLIENT UNPAUSE */
function unpause({ node }: LocalContext): Reply {
  node.pauseClients(0, "all");
  return OK;
}

const HELP_LINES = [
  "CACHING (YES|NO)",
  "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
  "CONSISTENCY [LINEARIZABLE|LEASE|STALE]",
  "    Show or set the read level of this connection.",
  "GETREDIR",
  "    Return the client ID we are redirecting to when tracking is enabled.",
  "GETNAME",
  "    Return the name of the current connection.",
  "ID",
  "    Return the ID of the current connection.",
  "INFO",
  "    Return information about the current client connection.",
  "KILL <ip:port>",
  "    Kill connection made from <ip:port>.",
  "KILL <option> <value> [<option> <value> [...]]",
  "    Kill connections. Options are:",
  "    * ADDR (<ip:port>|<unixsocket>:0)",
  "      Kill connections made from the specified address",
  "    * LADDR (<ip:port>|<unixsocket>:0)",
  "      Kill connections made to specified local address",
  "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
  "      Kill connections by type.",
  "    * USER <username>",
  "      Kill connections authenticated by <username>.",
  "    * SKIPME (YES|NO)",
  "      Skip killing current connection (default: yes).",
  "LIST [options ...]",
  "    Return information about client connections. Options:",
  "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
  "      Return clients of specified type.",
  "UNPAUSE",
  "    Stop the current client pause, resuming traffic.",
  "PAUSE <timeout> [WRITE|ALL]",
  "    Suspend all, or just write, clients for <timeout> milliseconds.",
  "REPLY (ON|OFF|SKIP)",
  "    Control the replies sent to the current connection.",
  "SETNAME <name>",
  "    Assign the name <name> to the current connection.",
  "SETINFO <option> <value>",
  "    Set client meta attr. Options are:",
  "    * LIB-NAME: the client lib name.",
  "    * LIB-VER: the client lib version.",
  "UNBLOCK <clientid> [TIMEOUT|ERROR]",
  "    Unblock the specified blocked client.",
  "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
  "         [OPTIN] [OPTOUT] [NOLOOP]",
  "    Control server assisted client side caching.",
  "TRACKINGINFO",
  "    Report tracking status for the current connection.",
  "NO-EVICT (ON|OFF)",
  "    Protect current client connection from eviction.",
  "NO-TOUCH (ON|OFF)",
  "    Will not touch LRU/LFU stats when this mode is on.",
];

/** The command CLIENT. */
export const clientCommand = localContainer("client", [
  ["id", 2, ({ client }) => client.id],
  ["getname", 2, getName],
  ["setname", 3, setName],
  ["setinfo", 4, setInfo],
  ["info", 2, info],
  ["list", -2, list],
  ["kill", -3, clientKill],
  ["no-evict", 3, noEvict],
  ["no-touch", 3, noTouch],
  ["consistency", -2, consistency],
  ["reply", 3, reply],
  ["pause", -3, pause],
  ["unpause", 2, unpause],
  ["unblock", -3, unblock],
  ...trackingSubcommands,
  ["help", 2, () => helpReply("CLIENT", HELP_LINES)],
]);
