import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cleanupAll, startBalsa, startRedis } from "../system/harness.ts";
import { encodeCommand, RespClient } from "../system/resp_client.ts";
import { sameReply } from "./compare.ts";
import { type Argv, Generator, type Group, GROUPS } from "./generator.ts";
import { MAKERS } from "./makers.ts";

export interface Ports {
  readonly balsa: number;
  readonly redis: number;
}

export interface Mismatch {
  readonly at: number;
  readonly argv: Argv;
  readonly balsa: string;
  readonly redis: string;
}

export interface DifferentialOptions {
  readonly seed: number;
  readonly commands: number;
  readonly group: Group;
  readonly protocol: 2 | 3;
}

/** Behind a SORT of these redis-server refuses others too: README.md. */
const BEYOND_DOUBLES = new Set(["1e400", "5e-324"]);

const BATCH = 64;
const REPLY_TIMEOUT_MS = 20_000;
/** Of a sequence that did not shrink, the last so many are printed. */
const SHOWN_COMMANDS = 30;

/** The commands of a run, the switch of protocol first. */
export function makeCommands(options: DifferentialOptions): Argv[] {
  const makers = MAKERS[options.group];
  const avoided = options.group === "sort" ? BEYOND_DOUBLES : undefined;
  const generator = new Generator(options.seed, makers, Date.now(), avoided);
  const commands: Argv[] = [["HELLO", String(options.protocol)]];
  for (let i = 0; i < options.commands; i++) commands.push(generator.next());
  return commands;
}

/** Sends the same commands to both on emptied databases; the first reply that differs. */
export async function firstMismatch(
  ports: Ports,
  commands: readonly Argv[],
): Promise<Mismatch | undefined> {
  const [balsa, redis] = await Promise.all([
    RespClient.open(ports.balsa),
    RespClient.open(ports.redis),
  ]);
  try {
    await Promise.all([balsa.command("FLUSHALL"), redis.command("FLUSHALL")]);
    for (let at = 0; at < commands.length; at += BATCH) {
      const batch = commands.slice(at, at + BATCH);
      const text = batch.map(encodeCommand).join("");
      void balsa.send(text);
      void redis.send(text);
      for (let i = 0; i < batch.length; i++) {
        const [ours, theirs] = await Promise.all([replyOf(balsa), replyOf(redis)]);
        if (!same(batch[i], ours, theirs)) {
          return { at: at + i, argv: batch[i], balsa: ours, redis: theirs };
        }
      }
    }
    return undefined;
  } finally {
    balsa.close();
    redis.close();
  }
}

function same(argv: Argv, ours: string, theirs: string): boolean {
  try {
    return sameReply(argv, ours, theirs);
  } catch {
    return false;
  }
}

async function replyOf(client: RespClient): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve("(no reply)"), REPLY_TIMEOUT_MS);
  });
  const reply = client.readRaw().catch((error) => `(${error.message})`);
  const first = await Promise.race([reply, late]);
  clearTimeout(timer);
  return first;
}

/** A short sequence that still differs, by leaving commands out while the difference stays. */
export async function shrink(ports: Ports, commands: readonly Argv[]): Promise<Argv[]> {
  let kept = [...commands];
  const first = await firstMismatch(ports, kept);
  if (first === undefined) return kept;
  kept = kept.slice(0, first.at + 1);
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < kept.length - 1;) {
      const fewer = [...kept.slice(0, start), ...kept.slice(start + size)];
      const mismatch = fewer.length === 0 ? undefined : await firstMismatch(ports, fewer);
      if (mismatch !== undefined) kept = fewer.slice(0, mismatch.at + 1);
      else start += size;
    }
  }
  return kept;
}

/** Commands and both replies as text to read. */
export function describeMismatch(commands: readonly Argv[], mismatch: Mismatch): string {
  const shown = commands.slice(-SHOWN_COMMANDS);
  const lines = shown.map((argv) => "  " + argv.map((word) => JSON.stringify(word)).join(" "));
  lines.push(
    `  redis: ${JSON.stringify(mismatch.redis)}`,
    `  balsa: ${JSON.stringify(mismatch.balsa)}`,
  );
  return lines.join("\n");
}

/** Runs one group; on a difference the text of its shortest reproduction, else undefined. */
export async function runGroup(
  ports: Ports,
  options: DifferentialOptions,
): Promise<string | undefined> {
  const commands = makeCommands(options);
  const mismatch = await firstMismatch(ports, commands);
  if (mismatch === undefined) return undefined;
  const short = await shrink(ports, commands.slice(0, mismatch.at + 1));
  const again = await firstMismatch(ports, short);
  const { group, protocol, seed } = options;
  const note = again === undefined ? " (not every time)" : "";
  const text = describeMismatch(short, again ?? mismatch);
  return `${group}, RESP${protocol}, seed ${seed}${note}:\n${text}`;
}

function parseGroups(text: string): Group[] {
  return text.split(",").map((name) => {
    const group = GROUPS.find((known) => known === name);
    if (group === undefined) {
      throw new Error(`Cannot run group ${name}: known are ${GROUPS.join()}`);
    }
    return group;
  });
}

/** `bun run compat differential`: resolves to the exit code. */
export async function differentialMain(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      commands: { type: "string", default: "10000" },
      groups: { type: "string", default: GROUPS.join() },
      port: { type: "string" },
      rounds: { type: "string", default: "1" },
    },
  });
  const redis = await startRedis(["--enable-debug-command", "yes"]);
  const balsa = values.port === undefined
    ? await startBalsa({ http: false })
    : { port: Number(values.port) };
  const ports = { balsa: balsa.port, redis: redis.port };
  let differences = 0;
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const group of parseGroups(values.groups)) {
      for (const protocol of [2, 3] as const) {
        const seed = Number(values.seed) + round;
        const options = { seed, commands: Number(values.commands), group, protocol };
        const found = await runGroup(ports, options);
        if (found !== undefined) differences++;
        console.log(
          found ?? `${group}, RESP${protocol}, seed ${seed}: ${values.commands} the same`,
        );
      }
    }
  }
  return differences === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const code = await differentialMain(process.argv.slice(2));
  cleanupAll();
  process.exit(code);
}
