import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NOT_INTEGER, SYNTAX_ERROR, WRONG_TYPE } from "../resp/reply.ts";
import type { ScoredMember, SetOperations, SortedSetOperations } from "../storage/collections.ts";
import { compareScored } from "../storage/score_order.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { countedReadCommand, type DataRun, FIRST_KEY, writeCommand } from "./define.ts";
import { parseDouble } from "./double.ts";
import { optionName, parseAtLeast, parseOffset } from "./parse.ts";
import { membersReply } from "./zset_range.ts";
import { storeSortedSet } from "./zset_store.ts";

const WEIGHT_NOT_FLOAT = err("weight value is not a float");
const LIMIT_NEGATIVE = err("LIMIT can't be negative");

type Operation = "union" | "inter" | "diff";

/** What a command does with the sets it is given. */
interface Form {
  readonly name: string;
  readonly operation: Operation;
  readonly result: "reply" | "store" | "count";
}

/** An input: a sorted set, or a set, whose members have the score 1. */
interface Source {
  readonly size: number;
  readonly weight: number;
  score(member: Bytes): number | undefined;
  members(): Iterable<ScoredMember>;
}

interface Options {
  readonly weights: readonly number[] | undefined;
  readonly aggregate: Aggregate;
  readonly withScores: boolean;
  /** 0: no limit. */
  readonly limit: number;
}

type Aggregate = (total: number, score: number) => number;

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  // Infinities of both signs make 0.
  sum: (total, score) => numberOrZero(total + score),
  min: (total, score) => score < total ? score : total,
  max: (total, score) => score > total ? score : total,
};

function numberOrZero(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

/**
 * ZUNION|ZINTER|ZDIFF numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX]
 * [WITHSCORES]; with STORE in the name, a destination before it; ZINTERCARD … [LIMIT limit].
 */
function combine(form: Form): DataRun {
  const countAt = form.result === "store" ? 2 : 1;
  return (context, argv) => {
    const keyCount = parseOffset(argv[countAt]);
    if (keyCount === undefined) return NOT_INTEGER;
    if (keyCount < 1) return err(`at least 1 input key is needed for '${form.name}' command`);
    if (keyCount > argv.length - countAt - 1) return SYNTAX_ERROR;
    const optionsAt = countAt + 1 + keyCount;
    const inputs = argv.slice(countAt + 1, optionsAt).map((key) => findInput(context, key));
    if (inputs.includes(WRONG_TYPE)) return WRONG_TYPE;
    const options = parseOptions(argv, optionsAt, keyCount, form);
    if (options instanceof ErrorReply) return options;
    const sources = inputs.map((input, i) => makeSource(input, options.weights?.[i] ?? 1));
    if (form.result === "count") return countCommon(sources, options.limit);
    const members = [...COMBINERS[form.operation](sources, options.aggregate)]
      .map(([name, score]) => ({ name, score }));
    if (form.result === "store") return storeSortedSet(context, argv[1], members, form.name);
    return membersReply(members.sort(compareScored), options.withScores);
  };
}

type Input = SortedSetOperations | SetOperations | undefined | ErrorReply;

function findInput(context: DataContext, key: Bytes): Input {
  const type = context.find(key)?.type;
  if (type === undefined) return undefined;
  return type === "zset" || type === "set" ? context.read(key, type) : WRONG_TYPE;
}

function makeSource(input: Input, weight: number): Source {
  if (input === undefined || input instanceof ErrorReply) {
    return { size: 0, weight, score: () => undefined, members: () => [] };
  }
  if ("range" in input) {
    return {
      size: input.size,
      weight,
      score: (member) => input.score(member),
      members: () => input.range(0, input.size - 1, true),
    };
  }
  return {
    size: input.size,
    weight,
    score: (member) => input.has(member) ? 1 : undefined,
    *members() {
      for (const name of input.members()) yield { name, score: 1 };
    },
  };
}

function parseOptions(
  argv: readonly Bytes[],
  start: number,
  keyCount: number,
  { operation, result }: Form,
): Options | ErrorReply {
  const isWeighted = operation !== "diff" && result !== "count";
  const options = {
    weights: undefined as number[] | undefined,
    aggregate: AGGREGATES.sum,
    withScores: false,
    limit: 0,
  };
  for (let i = start; i < argv.length; i++) {
    const name = optionName(argv[i]);
    if (isWeighted && name === "weights" && i + keyCount < argv.length) {
      options.weights = [];
      for (let left = keyCount; left > 0; left--) {
        const weight = parseDouble(argv[++i]);
        if (weight === undefined) return WEIGHT_NOT_FLOAT;
        options.weights.push(weight);
      }
    } else if (isWeighted && name === "aggregate" && i + 1 < argv.length) {
      const aggregate = optionName(argv[++i]);
      if (!Object.hasOwn(AGGREGATES, aggregate)) return SYNTAX_ERROR;
      options.aggregate = AGGREGATES[aggregate];
    } else if (result === "reply" && name === "withscores") {
      options.withScores = true;
    } else if (result === "count" && name === "limit" && i + 1 < argv.length) {
      const limit = parseAtLeast(0, argv[++i], LIMIT_NEGATIVE);
      if (limit instanceof ErrorReply) return limit;
      options.limit = limit;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}

type Scores = Map<Bytes, number>;
type Combiner = (sources: readonly Source[], aggregate: Aggregate) => Scores;

const COMBINERS: Readonly<Record<Operation, Combiner>> = { union, inter, diff };

function union(sources: readonly Source[], aggregate: Aggregate): Scores {
  const scores: Scores = new Map();
  for (const source of bySize(sources)) {
    for (const { name, score } of source.members()) {
      const weighted = numberOrZero(source.weight * score);
      const before = scores.get(name);
      scores.set(name, before === undefined ? weighted : aggregate(before, weighted));
    }
  }
  return scores;
}

function inter(sources: readonly Source[], aggregate: Aggregate): Scores {
  const scores: Scores = new Map();
  const [smallest, ...others] = bySize(sources);
  if (smallest.size === 0) return scores;
  for (const { name, score } of smallest.members()) {
    let total: number | undefined = numberOrZero(smallest.weight * score);
    for (const other of others) {
      const found = other.score(name);
      total = found === undefined ? undefined : aggregate(total, found * other.weight);
      if (total === undefined) break;
    }
    if (total !== undefined) scores.set(name, total);
  }
  return scores;
}

function diff(sources: readonly Source[]): Scores {
  const scores: Scores = new Map();
  const [first, ...others] = sources;
  for (const { name, score } of first.members()) {
    if (!others.some((other) => other.score(name) !== undefined)) scores.set(name, score);
  }
  return scores;
}

function countCommon(sources: readonly Source[], limit: number): number {
  const [smallest, ...others] = bySize(sources);
  let count = 0;
  for (const { name } of smallest.members()) {
    if (others.every((other) => other.score(name) !== undefined)) count++;
    if (count > 0 && count === limit) break;
  }
  return count;
}

/** The smallest first, as Redis goes through them: sums of floats depend on it. */
function bySize(sources: readonly Source[]): Source[] {
  return [...sources].sort((a, b) => a.size - b.size);
}

/** The commands on several sorted sets. */
export const zsetCombineCommands: readonly Command[] = (["union", "inter", "diff"] as const)
  .flatMap((operation) => [
    countedReadCommand(
      `z${operation}`,
      -3,
      combine({ name: `z${operation}`, operation, result: "reply" }),
    ),
    writeCommand(
      `z${operation}store`,
      -4,
      combine({ name: `z${operation}store`, operation, result: "store" }),
      FIRST_KEY,
    ),
  ]).concat(
    countedReadCommand(
      "zintercard",
      -3,
      combine({ name: "zintercard", operation: "inter", result: "count" }),
    ),
  );
