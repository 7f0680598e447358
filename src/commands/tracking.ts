import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, MapReply, NOT_INTEGER, OK, type Reply } from "../resp/reply.ts";
import { SetReply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { LocalRun } from "./define_local.ts";
import type { ClientView, LocalContext, NodeView } from "./local_context.ts";
import { optionName, parseOffset } from "./parse.ts";
import type { TrackingOptions } from "./tracking_view.ts";

/**
 * CLIENT TRACKING <ON | OFF> [REDIRECT id] [PREFIX prefix] … [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
 */
function tracking({ client, node }: LocalContext, argv: readonly Bytes[]): Reply {
  const options = parseOptions(node, argv);
  if (options instanceof ErrorReply) return options;
  const mode = optionName(argv[2]);
  if (mode === "off") node.tracking.disable(client);
  if (mode === "off") return OK;
  if (mode !== "on") return SYNTAX_ERROR;
  const error = conflictOf(client, options);
  if (error !== undefined) return err(error);
  node.tracking.enable(client, options);
  return OK;
}

function parseOptions(node: NodeView, argv: readonly Bytes[]): TrackingOptions | ErrorReply {
  let redirect = 0;
  const flags = { bcast: false, optin: false, optout: false, noloop: false };
  const prefixes: Bytes[] = [];
  for (let i = 3; i < argv.length; i++) {
    const option = optionName(argv[i]);
    const hasMore = i + 1 < argv.length;
    if (option === "redirect" && hasMore) {
      if (redirect !== 0) return err("A client can only redirect to a single other client");
      const id = parseOffset(argv[++i]);
      if (id === undefined) return NOT_INTEGER;
      redirect = id;
      if (node.client(id) === undefined) {
        return err("The client ID you want redirect to does not exist");
      }
    } else if (option === "prefix" && hasMore) {
      prefixes.push(argv[++i]);
    } else if (Object.hasOwn(flags, option)) {
      flags[option as keyof typeof flags] = true;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return { ...flags, redirect, prefixes };
}

/** What is wrong with these options, for this client as it is. */
function conflictOf(client: ClientView, options: TrackingOptions): string | undefined {
  const { bcast, optin, optout, prefixes } = options;
  const before = client.tracking;
  if (!bcast && prefixes.length > 0) return "PREFIX option requires BCAST mode to be enabled";
  if (before !== undefined && before.bcast !== bcast) return switching("BCAST mode on/off");
  if (bcast && (optin || optout)) return "OPTIN and OPTOUT are not compatible with BCAST";
  if (optin && optout) return "You can't specify both OPTIN mode and OPTOUT mode";
  if ((optin && before?.optout) || (optout && before?.optin)) {
    return switching("OPTIN/OPTOUT mode");
  }
  return bcast ? overlapOf(prefixes, before?.prefixes ?? []) : undefined;
}

function switching(what: string): string {
  return `You can't switch ${what} before disabling tracking for this client, and then ` +
    "re-enabling it with a different mode.";
}

function overlapOf(prefixes: readonly Bytes[], before: readonly Bytes[]): string | undefined {
  const overlaps = (a: Bytes, b: Bytes) => a.startsWith(b) || b.startsWith(a);
  for (const [i, prefix] of prefixes.entries()) {
    const own = before.find((each) => overlaps(each, prefix));
    if (own !== undefined) return overlapping(prefix, "an existing prefix", own);
    const other = prefixes.slice(i + 1).find((each) => overlaps(each, prefix));
    if (other !== undefined) return overlapping(prefix, "another provided prefix", other);
  }
  return undefined;
}

function overlapping(prefix: Bytes, what: string, other: Bytes): string {
  return `Prefix '${prefix}' overlaps with ${what} '${other}'. ` +
    "Prefixes for a single client must not overlap.";
}

/** CLIENT CACHING <YES | NO> */
function caching({ client }: LocalContext, argv: readonly Bytes[]): Reply {
  const state = client.tracking;
  if (state === undefined) {
    return err(
      "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or " +
        "OPTOUT mode enabled",
    );
  }
  const answer = optionName(argv[2]);
  if (answer !== "yes" && answer !== "no") return SYNTAX_ERROR;
  if (answer === "yes" && !state.optin) {
    return err("CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  }
  if (answer === "no" && !state.optout) {
    return err("CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  }
  state.isCaching = true;
  return OK;
}

/** CLIENT GETREDIR: the id; 0 without redirection, -1 when nothing is tracked. */
function getRedirection({ client }: LocalContext): Reply {
  return client.tracking?.redirect ?? -1;
}

/** CLIENT TRACKINGINFO */
function trackingInfo({ client }: LocalContext): Reply {
  const state = client.tracking;
  const flags = state === undefined ? ["off"] : ["on"];
  if (state?.bcast) flags.push("bcast");
  if (state?.optin) flags.push("optin", ...(state.isCaching ? ["caching-yes"] : []));
  if (state?.optout) flags.push("optout", ...(state.isCaching ? ["caching-no"] : []));
  if (state?.noloop) flags.push("noloop");
  if (state?.isBroken) flags.push("broken_redirect");
  return new MapReply([
    ["flags", new SetReply(flags)],
    ["redirect", state?.redirect ?? -1],
    ["prefixes", [...(state?.bcast ? state.prefixes : [])].sort()],
  ]);
}

/** The subcommands of CLIENT on tracking. */
export const trackingSubcommands: readonly (readonly [string, number, LocalRun])[] = [
  ["tracking", -3, tracking],
  ["caching", 3, caching],
  ["getredir", 2, getRedirection],
  ["trackinginfo", 2, trackingInfo],
];
