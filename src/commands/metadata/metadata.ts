import { MapReply, type Reply, SetReply, Status } from "../../resp/reply.ts";
import { newerCommands } from "./newer.ts";
import { ownCommands } from "./own.ts";

/**
 * A reply as data: a string is a bulk string, `{"~": […]}` a set, `{"~+": […]}` a set of
 * statuses, any other object a map.
 */
export type ReplyData = string | number | readonly ReplyData[] | ReplyDataObject;
export interface ReplyDataObject {
  readonly [key: string]: ReplyData;
}

/** A set of statuses; an empty one is stored as `{"~": []}`. */
export interface Statuses {
  readonly "~+"?: readonly string[];
  readonly "~"?: readonly string[];
}

/** How the keys of a command are found: Redis's key specifications. */
export interface KeySpec {
  readonly flags: Statuses;
  readonly begin_search:
    | { readonly type: "index"; readonly spec: { readonly index: number } }
    | {
      readonly type: "keyword";
      readonly spec: { readonly keyword: string; readonly startfrom: number };
    }
    | { readonly type: "unknown" };
  readonly find_keys:
    | {
      readonly type: "range";
      readonly spec: {
        readonly lastkey: number;
        readonly keystep: number;
        readonly limit: number;
      };
    }
    | {
      readonly type: "keynum";
      readonly spec: {
        readonly keynumidx: number;
        readonly firstkey: number;
        readonly keystep: number;
      };
    }
    | { readonly type: "unknown" };
}

/** Of COMMAND INFO: all but the name and the subcommands. */
export type CommandInfo = readonly [
  arity: number,
  flags: Statuses,
  firstKey: number,
  lastKey: number,
  keyStep: number,
  aclCategories: Statuses,
  tips: { readonly "~": readonly string[] },
  keySpecs: { readonly "~": readonly KeySpec[] },
];

export interface CommandMetadata {
  readonly info: CommandInfo;
  /** Of COMMAND DOCS: all but the subcommands. */
  readonly docs: ReplyDataObject;
}

/** By full name, "client|list". */
export type Metadata = Readonly<Record<string, CommandMetadata>>;

let loading: Promise<Metadata> | undefined;

/** What COMMAND tells of commands; read from its file at the first call, kept from then on. */
export function loadMetadata(): Promise<Metadata> {
  loading ??= import("./redis_7_0.json", { with: { type: "json" } }).then((module) => ({
    ...module.default as unknown as Metadata,
    ...newerCommands,
    ...ownCommands,
  }));
  return loading;
}

/** The statuses of a set, in order. */
export function statusesOf(set: Statuses): readonly string[] {
  return set["~+"] ?? [];
}

/** The reply that the data describes. */
export function toReply(data: ReplyData | object): Reply {
  if (typeof data === "string" || typeof data === "number") return data;
  if (Array.isArray(data)) return data.map(toReply);
  if ("~" in data) return new SetReply((data["~"] as readonly ReplyData[]).map(toReply));
  if ("~+" in data) {
    return new SetReply((data["~+"] as readonly string[]).map((text) => new Status(text)));
  }
  return new MapReply(Object.entries(data).map(([key, value]) => [key, toReply(value)]));
}
