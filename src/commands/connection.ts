import type { Bytes } from "../base/bytes.ts";
import { DATABASE_COUNT, REDIS_VERSION } from "../constants.ts";
import {
  DB_OUT_OF_RANGE,
  err,
  ErrorReply,
  MapReply,
  OK,
  PONG,
  type Reply,
  Status,
  SYNTAX_ERROR,
  wrongArity,
} from "../resp/reply.ts";
import { clientCommand, INVALID_CLIENT_NAME, isClientAttribute } from "./client.ts";
import type { Command } from "./command.ts";
import { localCommand } from "./define_local.ts";
import { errQuoting, quoted } from "./help.ts";
import type { LocalContext } from "./local_context.ts";
import { optionName, parseInt32, parseOffset } from "./parse.ts";

const WRONG_PASSWORD = new ErrorReply(
  "WRONGPASS invalid username-password pair or user is disabled.",
);
const NO_PASSWORD_CONFIGURED = err(
  "AUTH <password> called without any password configured for the default user. " +
    "Are you sure your configuration is correct?",
);
const PROTOCOL_NOT_INTEGER = err("Protocol version is not an integer or out of range");
const UNSUPPORTED_PROTOCOL = new ErrorReply("NOPROTO unsupported protocol version");
const HELLO_NEEDS_AUTH = new ErrorReply(
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO " +
    "AUTH <user> <pass> option can be used to authenticate the client and select the RESP " +
    "protocol version at the same time",
);
const RESET_DONE = new Status("RESET");

/** PING [message]. A RESP2 subscriber is answered with an array, as a message would be. */
function ping({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 2) return wrongArity("ping");
  if (client.type === "pubsub" && client.protocol === 2) return ["pong", argv[1] ?? ""];
  return argv.length === 1 ? PONG : argv[1];
}

/** ECHO message */
function echo(_context: LocalContext, argv: readonly Bytes[]): Reply {
  return argv[1];
}

/** AUTH [username] password */
function auth(context: LocalContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 3) return SYNTAX_ERROR;
  if (argv.length === 3) return authenticate(context, argv[1], argv[2], argv[0]) ?? OK;
  if (context.node.acl.user("default")!.noPass) return NO_PASSWORD_CONFIGURED;
  return authenticate(context, "default", argv[1], argv[0]) ?? OK;
}

function authenticate(
  { client, node }: LocalContext,
  user: Bytes,
  password: Bytes,
  word: Bytes,
): ErrorReply | undefined {
  return node.authenticate(client, user, password, word) ? undefined : WRONG_PASSWORD;
}

/** HELLO [protover [AUTH username password] [SETNAME clientname]] */
function hello(context: LocalContext, argv: readonly Bytes[]): Reply {
  let version: 2 | 3 | undefined;
  if (argv.length > 1) {
    const parsed = parseOffset(argv[1]);
    if (parsed === undefined) return PROTOCOL_NOT_INTEGER;
    if (parsed !== 2 && parsed !== 3) return UNSUPPORTED_PROTOCOL;
    version = parsed;
  }
  const error = applyHelloOptions(context, argv);
  if (error !== undefined) return error;
  const { client, node } = context;
  if (!client.authenticated) return HELLO_NEEDS_AUTH;
  if (version !== undefined) client.protocol = version;
  return new MapReply([
    ["server", "redis"],
    ["version", REDIS_VERSION],
    ["proto", client.protocol],
    ["id", client.id],
    ["mode", "standalone"],
    ["role", node.role.role === "master" ? "master" : "replica"],
    ["modules", []],
  ]);
}

/** Authenticates and sets the name as it goes, as Redis 7.0 does: an error undoes nothing. */
function applyHelloOptions(
  context: LocalContext,
  argv: readonly Bytes[],
): ErrorReply | undefined {
  for (let i = 2; i < argv.length; i++) {
    const option = optionName(argv[i]);
    const more = argv.length - 1 - i;
    if (option === "auth" && more >= 2) {
      const error = authenticate(context, argv[i + 1], argv[i + 2], argv[0]);
      if (error !== undefined) return error;
      i += 2;
    } else if (option === "setname" && more >= 1) {
      const name = argv[++i];
      if (!isClientAttribute(name)) return INVALID_CLIENT_NAME;
      context.client.name = name;
    } else {
      return errQuoting(`Syntax error in HELLO option '${quoted(argv[i])}'`);
    }
  }
  return undefined;
}

/** QUIT: OK, and the connection closes behind it. */
function quit({ client }: LocalContext): Reply {
  client.close();
  return OK;
}

/** RESET: the connection is as a new one. */
function reset({ client }: LocalContext): Reply {
  client.reset();
  return RESET_DONE;
}

/** SELECT index */
function select({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  const index = parseInt32(argv[1]);
  if (index instanceof ErrorReply) return index;
  if (index < 0 || index >= DATABASE_COUNT) return DB_OUT_OF_RANGE;
  client.db = index;
  return OK;
}

export const connectionCommands: readonly Command[] = [
  localCommand("ping", -1, ping),
  localCommand("echo", 2, echo),
  localCommand("auth", -2, auth, true),
  localCommand("hello", -1, hello, true),
  localCommand("quit", -1, quit, true),
  localCommand("reset", 1, reset, true),
  localCommand("select", 2, select),
  clientCommand,
];
