import type { Bytes } from "../base/bytes.ts";
import { type Reply, VerbatimReply } from "../resp/reply.ts";
import type { LocalContext } from "./local_context.ts";

/** INFO [section …]. No section is as "default". */
export function info({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const sections = argv.length === 1
    ? ["default"]
    : [...new Set(argv.slice(1).map((name) => name.toLowerCase()))];
  return new VerbatimReply("txt", node.info(sections));
}
