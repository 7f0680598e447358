import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, OK, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import { type ClientType, parseClientType } from "./client_info.ts";
import { errQuoting, quoted } from "./help.ts";
import type { ClientView, LocalContext, NodeView } from "./local_context.ts";
import { optionName, parseOffset } from "./parse.ts";

interface Filter {
  address?: Bytes;
  localAddress?: Bytes;
  type?: ClientType;
  user?: Bytes;
  id?: number;
  skipMe: boolean;
}

/**
 * CLIENT KILL addr:port; CLIENT KILL [ID id] [TYPE type] [USER name] [ADDR addr] [LADDR addr]
 * [SKIPME yes|no] …: a client is closed that fits all filters.
 */
export function clientKill({ client, node }: LocalContext, argv: readonly Bytes[]): Reply {
  const oldForm = argv.length === 3;
  const filter = oldForm ? { address: argv[2], skipMe: false } : parseFilter(node, argv);
  if (filter instanceof ErrorReply) return filter;
  let killed = 0;
  for (const other of [...node.clients()]) {
    if (!fits(filter, other)) continue;
    if (filter.skipMe && other.id === client.id) continue;
    // Its own connection still gets the reply.
    other.close(other.id !== client.id);
    killed++;
  }
  if (!oldForm) return killed;
  return killed === 0 ? err("No such client") : OK;
}

function fits(filter: Filter, client: ClientView): boolean {
  return (filter.address === undefined || filter.address === client.remoteAddress) &&
    (filter.localAddress === undefined || filter.localAddress === client.localAddress) &&
    (filter.type === undefined || filter.type === client.type) &&
    (filter.id === undefined || filter.id === client.id) &&
    (filter.user === undefined || filter.user === client.user);
}

function parseFilter(node: NodeView, argv: readonly Bytes[]): Filter | ErrorReply {
  const filter: Filter = { skipMe: true };
  for (let i = 2; i < argv.length; i += 2) {
    if (i + 1 >= argv.length) return SYNTAX_ERROR;
    const error = parseOption(filter, node, optionName(argv[i]), argv[i + 1]);
    if (error !== undefined) return error;
  }
  return filter;
}

function parseOption(
  filter: Filter,
  node: NodeView,
  option: string,
  value: Bytes,
): ErrorReply | undefined {
  if (option === "id") {
    const id = parseOffset(value);
    if (id === undefined || id < 1) return err("client-id should be greater than 0");
    filter.id = id;
  } else if (option === "type") {
    const type = parseClientType(value);
    if (type instanceof ErrorReply) return type;
    filter.type = type;
  } else if (option === "addr") {
    filter.address = value;
  } else if (option === "laddr") {
    filter.localAddress = value;
  } else if (option === "user") {
    if (node.acl.user(value) === undefined) return errQuoting(`No such user '${quoted(value)}'`);
    filter.user = value;
  } else if (option === "skipme") {
    const answer = optionName(value);
    if (answer !== "yes" && answer !== "no") return SYNTAX_ERROR;
    filter.skipMe = answer === "yes";
  } else {
    return SYNTAX_ERROR;
  }
  return undefined;
}
