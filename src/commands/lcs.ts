import { type Bytes, toBuffer } from "../base/bytes.ts";
import { BULK_BYTES_MAX } from "../constants.ts";
import { err, ErrorReply, MapReply, NOT_INTEGER, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { readCommand, TWO_KEYS } from "./define.ts";
import { optionName, parseOffset } from "./parse.ts";

const NOT_STRINGS = err("The specified keys must contain string values");
const LEN_AND_IDX = err("If you want both the length and indexes, please just use IDX.");
const TOO_LARGE = err(
  "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
);

const NO_MEMORY = err(
  "Insufficient memory, failed allocating transient memory for LCS",
);

interface LcsOptions {
  len: boolean;
  idx: boolean;
  withMatchLen: boolean;
  minMatchLen: number;
}

/** LCS key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN] */
function lcs(context: DataContext, argv: readonly Bytes[]): Reply {
  const recordA = context.find(argv[1]);
  const recordB = context.find(argv[2]);
  if ((recordA?.type ?? "string") !== "string") return NOT_STRINGS;
  if ((recordB?.type ?? "string") !== "string") return NOT_STRINGS;
  const options = parseLcsOptions(argv);
  if (options instanceof ErrorReply) return options;
  const a = recordA?.value ?? "";
  const b = recordB?.value ?? "";
  if ((a.length + 1) * (b.length + 1) * 4 > BULK_BYTES_MAX) return TOO_LARGE;
  const table = LcsTable.tryMake(a, b);
  if (table === undefined) return NO_MEMORY;
  if (options.len) return table.length;
  if (!options.idx) return table.text();
  const matches: Reply[] = [];
  for (const match of table.matches()) {
    if (match.length < options.minMatchLen) continue;
    const ranges: Reply[] = [
      [match.startA, match.startA + match.length - 1],
      [match.startB, match.startB + match.length - 1],
    ];
    if (options.withMatchLen) ranges.push(match.length);
    matches.push(ranges);
  }
  return new MapReply([["matches", matches], ["len", table.length]]);
}

function parseLcsOptions(argv: readonly Bytes[]): LcsOptions | ErrorReply {
  const options: LcsOptions = { len: false, idx: false, withMatchLen: false, minMatchLen: 0 };
  for (let index = 3; index < argv.length; index++) {
    const name = optionName(argv[index]);
    if (name === "len") {
      options.len = true;
    } else if (name === "idx") {
      options.idx = true;
    } else if (name === "withmatchlen") {
      options.withMatchLen = true;
    } else if (name === "minmatchlen" && index + 1 < argv.length) {
      const length = parseOffset(argv[++index]);
      if (length === undefined) return NOT_INTEGER;
      options.minMatchLen = length;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options.len && options.idx ? LEN_AND_IDX : options;
}

interface Match {
  readonly startA: number;
  readonly startB: number;
  readonly length: number;
}

/** The longest common subsequence of two strings by dynamic programming, O(a * b). */
class LcsTable {
  readonly #a: Bytes;
  readonly #b: Bytes;
  /** Row i, column j: the length for the first i bytes of a and the first j of b. */
  readonly #cells: Uint32Array;

  private constructor(a: Bytes, b: Bytes, cells: Uint32Array) {
    this.#a = a;
    this.#b = b;
    this.#cells = cells;
    const width = b.length + 1;
    const bytesB = toBuffer(b);
    for (let i = 1; i <= a.length; i++) {
      const byte = a.charCodeAt(i - 1);
      const row = i * width;
      let left = 0;
      let diagonal = 0;
      for (let j = 1; j < width; j++) {
        const above = cells[row - width + j];
        if (bytesB[j - 1] === byte) left = diagonal + 1;
        else if (above > left) left = above;
        cells[row + j] = left;
        diagonal = above;
      }
    }
  }

  /** Undefined when there is not enough memory for it. */
  static tryMake(a: Bytes, b: Bytes): LcsTable | undefined {
    let cells: Uint32Array;
    try {
      cells = new Uint32Array((a.length + 1) * (b.length + 1));
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
    return new LcsTable(a, b, cells);
  }

  get length(): number {
    return this.#cells[this.#cells.length - 1];
  }

  /** The subsequence itself. */
  text(): Bytes {
    return this.matches()
      .map((match) => this.#a.slice(match.startA, match.startA + match.length))
      .reverse()
      .join("");
  }

  /** The runs of the subsequence that are contiguous in both strings, from the last. */
  matches(): Match[] {
    const width = this.#b.length + 1;
    const matches: Match[] = [];
    let i = this.#a.length;
    let j = this.#b.length;
    let length = 0;
    while (i > 0 && j > 0) {
      if (this.#a.charCodeAt(i - 1) === this.#b.charCodeAt(j - 1)) {
        i--;
        j--;
        length++;
        if (i > 0 && j > 0) continue;
      }
      if (length > 0) matches.push({ startA: i, startB: j, length });
      length = 0;
      if (i === 0 || j === 0) break;
      if (this.#cells[(i - 1) * width + j] > this.#cells[i * width + j - 1]) i--;
      else j--;
    }
    return matches;
  }
}

/** The longest common subsequence. */
export const lcsCommands: readonly Command[] = [readCommand("lcs", -3, lcs, TWO_KEYS)];
