import type { Bytes } from "../base/bytes.ts";
import type { ErrorReply } from "../resp/reply.ts";
import { errQuoting, quoted } from "./help.ts";
import type { ClientView } from "./local_context.ts";
import { optionName } from "./parse.ts";

/** The types that CLIENT LIST and CLIENT KILL name; no connection here is of the last two. */
export type ClientType = "normal" | "pubsub" | "master" | "slave";

/** The client type of this name in any case, or Redis's error. */
export function parseClientType(name: Bytes): ClientType | ErrorReply {
  const type = optionName(name);
  if (type === "replica" || type === "slave") return "slave";
  if (type === "normal" || type === "pubsub" || type === "master") return type;
  return errQuoting(`Unknown client type '${quoted(name)}'`);
}

/** The request that is being answered, which its client's query buffer still holds. */
interface Request {
  readonly client: ClientView;
  readonly argv: readonly Bytes[];
}

/** Bytes of a request as it was sent, if it was sent as an array. */
function bytesOf(argv: readonly Bytes[]): number {
  const head = (number: number) => String(number).length + 3;
  return argv.reduce((sum, each) => sum + head(each.length) + each.length + 2, head(argv.length));
}

/**
 * One line of CLIENT LIST, without its end, in Redis 7.2's format. Figures that only Redis's own
 * buffers have are 0; there is no file descriptor to name, so fd is -1.
 */
export function clientInfoLine(client: ClientView, nowMs: number, request?: Request): Bytes {
  const requestBytes = request?.client === client ? bytesOf(request.argv) : 0;
  const queryBytes = client.queryBufferBytes + requestBytes;
  const ageSeconds = Math.max(0, Math.floor((nowMs - client.createdAtMs) / 1000));
  const idleSeconds = Math.max(0, Math.floor((nowMs - client.lastActiveMs) / 1000));
  const omem = client.outputBufferBytes;
  const flags = (client.monitor === undefined ? "" : "O") + (client.type === "pubsub" ? "P" : "") +
    (client.transaction === undefined ? "" : "x") + (client.blocked === undefined ? "" : "b") +
    (client.tracking === undefined ? "" : "t") + (client.tracking?.isBroken ? "R" : "") +
    (client.tracking?.bcast ? "B" : "") + (client.watches?.isDirty ? "d" : "") +
    (client.noEvict ? "e" : "") +
    (client.noTouch ? "T" : "");
  return `id=${client.id} addr=${client.remoteAddress} laddr=${client.localAddress} fd=-1` +
    ` name=${client.name} age=${ageSeconds} idle=${idleSeconds} flags=${flags || "N"}` +
    ` db=${client.db} sub=${client.subscription?.count("channel") ?? 0}` +
    ` psub=${client.subscription?.count("pattern") ?? 0}` +
    ` ssub=${client.subscription?.count("shard") ?? 0} multi=${
      client.transaction?.commands.length ?? -1
    }` +
    ` qbuf=${queryBytes} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0` +
    ` obl=0 oll=${omem > 0 ? 1 : 0} omem=${omem} tot-mem=${queryBytes + omem}` +
    ` events=r cmd=${client.lastCommand} user=${client.user} redir=${
      client.tracking?.redirect ?? -1
    } resp=${client.protocol}` +
    ` lib-name=${client.libName} lib-ver=${client.libVersion}`;
}
