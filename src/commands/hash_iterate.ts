import type { Bytes } from "../base/bytes.ts";
import { INT64_MAX } from "../base/int64.ts";
import { err, ErrorReply, PairsReply, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { HashOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand } from "./define.ts";
import { globMatches } from "./glob.ts";
import { findField, livingFields } from "./hash_field.ts";
import { optionName } from "./parse.ts";
import { sampleCount, takeSample } from "./sample.ts";
import { parseCursor, parseScanOptions } from "./scan.ts";

const OUT_OF_RANGE = err("value is out of range");

/** HRANDFIELD key [count [WITHVALUES]] */
function hrandfield(context: DataContext, argv: readonly Bytes[]): Reply {
  let count: number | undefined;
  const withValues = argv.length === 4;
  if (argv.length > 2) {
    const wanted = sampleCount(argv[2]);
    if (wanted instanceof ErrorReply) return wanted;
    if (argv.length > 4 || (withValues && optionName(argv[3]) !== "withvalues")) {
      return SYNTAX_ERROR;
    }
    if (withValues && Math.abs(wanted) > Number(INT64_MAX) / 2) return OUT_OF_RANGE;
    count = wanted;
  }
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  if (count === undefined) return hash === undefined ? null : randomField(context, hash);
  if (hash === undefined) return [];
  const all = () => livingFields(context, hash).map(([name]) => name);
  const names = takeSample(count, hash.size, all, () => randomField(context, hash));
  if (!withValues) return names;
  return new PairsReply(names.map((name) => [name, hash.get(name)?.value ?? null]));
}

/** A field that has not expired; any one when most have. */
function randomField(context: DataContext, hash: HashOperations): Bytes {
  const random = () => context.prng.next();
  let name = hash.random(random);
  for (let tries = 0; tries < 100; tries++) {
    if (findField(context, hash, name) !== undefined) break;
    name = hash.random(random);
  }
  return name;
}

/** HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES] */
function hscan(context: DataContext, argv: readonly Bytes[]): Reply {
  const cursor = parseCursor(argv[2]);
  if (cursor instanceof ErrorReply) return cursor;
  const record = context.find(argv[1]);
  const hash = context.read(argv[1], "hash");
  if (hash instanceof ErrorReply) return hash;
  if (hash === undefined) return ["0", []];
  const noValues = argv.length > 3 && optionName(argv[argv.length - 1]) === "novalues";
  const options = parseScanOptions(noValues ? argv.slice(0, -1) : argv, 3, false);
  if (options instanceof ErrorReply) return options;
  // Redis walks its compact form at once, whatever the count.
  const isCompact = record?.encoding === "listpack";
  const page = isCompact ? hash.scan(0, hash.size) : hash.scan(cursor, options.count);
  const found: Bytes[] = [];
  for (const name of page.elements) {
    const field = findField(context, hash, name);
    if (field === undefined) continue;
    if (options.pattern !== undefined && !globMatches(options.pattern, name)) continue;
    if (noValues) found.push(name);
    else found.push(name, field.value);
  }
  return [String(page.cursor), found];
}

/** The commands that go through a hash. */
export const hashIterateCommands: readonly Command[] = [
  readCommand("hrandfield", -2, hrandfield, FIRST_KEY),
  readCommand("hscan", -3, hscan, FIRST_KEY),
];
