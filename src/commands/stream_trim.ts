import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NOT_INTEGER, SYNTAX_ERROR } from "../resp/reply.ts";
import type { NodeLimits } from "../storage/stream_nodes.ts";
import type { TrimRequest } from "../storage/streams.ts";
import { optionName, parseOffset } from "./parse.ts";
import { type NewId, parseId, parseNewId } from "./stream_id.ts";

const TWO_STRATEGIES = err(
  "syntax error, MAXLEN and MINID options at the same time are not compatible",
);
const MAXLEN_NEGATIVE = err("The MAXLEN argument must be >= 0.");
const LIMIT_NEGATIVE = err("The LIMIT argument must be >= 0.");
const LIMIT_ALONE = err(
  "syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
const LIMIT_EXACT = err("syntax error, LIMIT cannot be used without the special ~ option");
const NO_STRATEGY = err("syntax error, XTRIM must be called with a trimming strategy");

/** Redis's limits of a node of a stream, by default, which trimming with "~" shows. */
export const NODE_LIMITS: NodeLimits = { entries: 100, bytes: 4096 };
/** Of XADD and XTRIM, with other ones: entries and bytes. Before all other options. */
export const NODE_LIMITS_OPTION = "NODELIMITS";
/** Nodes that "~" removes at most, when no LIMIT is given. */
const NODES_PER_TRIM = 100;

/** What XADD and XTRIM are told before the fields. */
export interface AddOrTrim {
  readonly trim: TrimRequest | undefined;
  readonly limits: NodeLimits;
  readonly noMakeStream: boolean;
  /** Undefined for "*". */
  readonly id: NewId | undefined;
  /** Where the id stands; behind the arguments when there is none. */
  readonly idAt: number;
}

type Strategy = { readonly lengthMax: number } | { readonly minId: TrimId };
type TrimId = Exclude<ReturnType<typeof parseId>, ErrorReply>;

/** The options of XADD, up to its id, or of XTRIM. */
export function parseAddOrTrim(argv: readonly Bytes[], isAdd: boolean): AddOrTrim | ErrorReply {
  let strategy: Strategy | undefined;
  let isApproximate = false;
  let limit: number | undefined;
  let noMakeStream = false;
  let id: NewId | undefined;
  const limits = parseNodeLimits(argv);
  let i = limits === undefined ? 2 : 5;
  for (; i < argv.length; i++) {
    const name = optionName(argv[i]);
    const left = argv.length - 1 - i;
    if (isAdd && name === "*") break;
    if ((name === "maxlen" || name === "minid") && left > 0) {
      if (strategy !== undefined) return TWO_STRATEGIES;
      const mark = optionName(argv[i + 1]);
      isApproximate = left >= 2 && mark === "~";
      if (left >= 2 && (mark === "~" || mark === "=")) i++;
      const parsed = parseStrategy(name, argv[++i]);
      if (parsed instanceof ErrorReply) return parsed;
      strategy = parsed;
    } else if (name === "limit" && left > 0) {
      limit = parseOffset(argv[++i]);
      if (limit === undefined) return NOT_INTEGER;
      if (limit < 0) return LIMIT_NEGATIVE;
    } else if (isAdd && name === "nomkstream") {
      noMakeStream = true;
    } else if (isAdd) {
      const parsed = parseNewId(argv[i]);
      if (parsed instanceof ErrorReply) return parsed;
      id = parsed;
      break;
    } else {
      return SYNTAX_ERROR;
    }
  }
  if (limit !== undefined && limit > 0 && strategy === undefined) return LIMIT_ALONE;
  if (!isAdd && strategy === undefined) return NO_STRATEGY;
  if (limit !== undefined && !isApproximate) return LIMIT_EXACT;
  limit ??= isApproximate ? limitOf((limits ?? NODE_LIMITS).entries) : 0;
  const trim = strategy && { ...strategy, isApproximate, limit };
  return { trim, limits: limits ?? NODE_LIMITS, noMakeStream, id, idAt: i };
}

/** Undefined when there are none; what is none in full is no option of its own. */
function parseNodeLimits(argv: readonly Bytes[]): NodeLimits | undefined {
  if (argv[2] !== NODE_LIMITS_OPTION || argv.length < 5) return undefined;
  const [entries, bytes] = [parseOffset(argv[3]), parseOffset(argv[4])];
  if (entries === undefined || bytes === undefined || entries < 0 || bytes < 0) return undefined;
  return { entries, bytes };
}

function parseStrategy(name: "maxlen" | "minid", text: Bytes): Strategy | ErrorReply {
  if (name === "minid") {
    const minId = parseId(text);
    return minId instanceof ErrorReply ? minId : { minId };
  }
  const lengthMax = parseOffset(text);
  if (lengthMax === undefined) return NOT_INTEGER;
  return lengthMax < 0 ? MAXLEN_NEGATIVE : { lengthMax };
}

/** Entries that "~" removes at most, when no LIMIT is given. */
function limitOf(nodeEntries: number): number {
  return nodeEntries === 0 ? 10_000 : Math.min(NODES_PER_TRIM * nodeEntries, 1_000_000);
}
