import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { err, ErrorReply, NOT_INTEGER, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { Command } from "./command.ts";
import { localCommand } from "./define_local.ts";
import type { LocalContext } from "./local_context.ts";
import { optionName, parseOffset } from "./parse.ts";

/** Keys that are to move to another server. */
export interface MigrateRequest {
  readonly host: Bytes;
  readonly port: Bytes;
  /** Each once. */
  readonly keys: readonly Bytes[];
  /** As SELECT takes it. */
  readonly targetDb: Bytes;
  /** How long the target may be silent at a time. */
  readonly timeoutMs: number;
  readonly copy: boolean;
  readonly replace: boolean;
  /** What AUTH is sent with: a password, or a user's name and its password. */
  readonly credentials: readonly Bytes[];
}

const FIRST_OPTION = 6;
/** How many arguments options take. */
const ARGUMENT_COUNTS: ReadonlyMap<string, number> = new Map([["auth", 1], ["auth2", 2]]);
const TIMEOUT_DEFAULT_MS = 1000;
/** A longer time-out is taken for this one: a silent target must not hold up others for ever. */
const TIMEOUT_MAX_MS = 600_000;

const KEY_AND_KEYS = err(
  "When using MIGRATE KEYS option, the key argument must be set to the empty string",
);

/** An option of a request: its place, and that of its last argument. */
interface PlacedOption {
  readonly name: string;
  readonly at: number;
  readonly last: number;
}

/** The options of a request; the last one is KEYS, if it is there. */
function* optionsOf(argv: readonly Bytes[]): Generator<PlacedOption> {
  for (let at = FIRST_OPTION; at < argv.length; at++) {
    const name = optionName(argv[at]);
    const last = at + (ARGUMENT_COUNTS.get(name) ?? 0);
    yield { name, at, last };
    if (name === "keys") return;
    at = last;
  }
}

/** The keys that a request names. */
export function migratedKeys(argv: readonly Bytes[]): readonly Bytes[] {
  for (const { name, at } of optionsOf(argv)) {
    if (name === "keys") return argv[3] === "" ? argv.slice(at + 1) : [];
  }
  return [argv[3]];
}

/** The first and the last argument that belongs to AUTH or AUTH2; undefined without them. */
export function migrateSecrets(
  argv: readonly Bytes[],
): readonly [from: number, to: number] | undefined {
  const auths = [...optionsOf(argv)].filter(({ name }) => ARGUMENT_COUNTS.has(name));
  const last = auths.at(-1);
  return last && [auths[0].at + 1, last.last];
}

function parseRequest(argv: readonly Bytes[]): MigrateRequest | ErrorReply {
  let copy = false;
  let replace = false;
  let credentials: readonly Bytes[] = [];
  for (const { name, at, last } of optionsOf(argv)) {
    if (last >= argv.length) return SYNTAX_ERROR;
    if (name === "copy") copy = true;
    else if (name === "replace") replace = true;
    else if (ARGUMENT_COUNTS.has(name)) credentials = argv.slice(at + 1, last + 1);
    else if (name !== "keys") return SYNTAX_ERROR;
    else if (argv[3] !== "") return KEY_AND_KEYS;
  }
  const timeoutMs = parseOffset(argv[5]);
  const targetDb = parseInt64(argv[4]);
  if (timeoutMs === undefined || targetDb === undefined) return NOT_INTEGER;
  return {
    host: argv[1],
    port: argv[2],
    keys: [...new Set(migratedKeys(argv))],
    targetDb: String(targetDb),
    timeoutMs: timeoutMs <= 0 ? TIMEOUT_DEFAULT_MS : Math.min(timeoutMs, TIMEOUT_MAX_MS),
    copy,
    replace,
    credentials,
  };
}

/**
 * MIGRATE host port key|"" destination-db timeout [COPY] [REPLACE] [AUTH password]
 * [AUTH2 username password] [KEYS key [key ...]]
 */
function migrate({ client, node }: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply> {
  const request = parseRequest(argv);
  return request instanceof ErrorReply ? request : node.migrate(client.db, request);
}

/** MIGRATE runs on the node that it is sent to; what it deletes goes through the log. */
export const migrateCommand: Command = {
  ...localCommand("migrate", -6, migrate),
  keys: { first: 3, last: 3, step: 1 },
};
