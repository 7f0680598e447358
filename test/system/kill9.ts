import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Prng } from "../../src/base/prng.ts";
import {
  DEFAULT_RUNTIME,
  type Runtime,
  scratchDirectory,
  type Server,
  sleep,
  startBalsa,
} from "./harness.ts";
import { matchPrefix, type WriteOp, Writer } from "./kill9_model.ts";
import { encodeCommand, RespClient, RespError } from "./resp_client.ts";

export interface Kill9Options {
  readonly rounds: number;
  readonly seed: number;
  readonly clients?: number;
  readonly pipeline?: number;
  readonly runtime?: Runtime;
  /** The longest time under load before the kill, milliseconds. */
  readonly loadMsMax?: number;
  log?(line: string): void;
}

export interface Kill9Result {
  readonly rounds: number;
  readonly acknowledged: number;
  /** Took effect though the kill cut off the acknowledgement. */
  readonly appliedUnacknowledged: number;
  readonly sent: number;
}

/** What one writer has done: `state` holds all that was acknowledged, `pending` the rest. */
interface Lane {
  readonly writer: Writer;
  readonly state: Map<string, string>;
  pending: WriteOp[];
  sharedAcked: number;
  sharedSent: number;
}

const SHARED_COUNTER = "shared:counter";

/**
 * Rounds of: start, write from several pipelining clients, kill -9 at a random moment, start
 * again, compare. Throws on an acknowledged write that is gone or a command half applied.
 */
export async function runKill9(options: Kill9Options): Promise<Kill9Result> {
  const prng = new Prng(options.seed);
  const data = `${scratchDirectory()}/data`;
  const runtime = options.runtime ?? DEFAULT_RUNTIME;
  const lanes = Array.from({ length: options.clients ?? 4 }, (_, id): Lane => ({
    writer: new Writer(id, options.seed),
    state: new Map(),
    pending: [],
    sharedAcked: 0,
    sharedSent: 0,
  }));
  const totals = { acknowledged: 0, appliedUnacknowledged: 0, sent: 0 };
  let shared = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const args = ["--log-writer", round % 2 === 1 ? "worker" : "inline"];
    const server = await startBalsa({ data, runtime, http: false, args });
    const loads = Promise.allSettled(
      lanes.map((lane) => writeUntilCut(server.port, lane, options.pipeline ?? 32)),
    );
    await sleep(20 + prng.below(options.loadMsMax ?? 300));
    await server.kill9();
    for (const load of await loads) {
      if (load.status === "rejected") throw load.reason;
      totals.acknowledged += load.value.acknowledged;
      totals.sent += load.value.sent;
    }
    if (prng.below(4) === 0) await killDuringStart(data, runtime, prng.below(250));
    const again = await startBalsa({ data, runtime, http: false });
    totals.appliedUnacknowledged += await verify(again, lanes, round);
    shared = await verifyShared(again, lanes, shared);
    if (round % 2 === 0) await again.stop();
    else await again.kill9();
    options.log?.(
      `round ${round}/${options.rounds}: ${totals.acknowledged} acknowledged, none lost`,
    );
  }
  return { rounds: options.rounds, ...totals };
}

/** A start that is cut off before it is complete must harm nothing. */
async function killDuringStart(data: string, runtime: Runtime, afterMs: number): Promise<void> {
  const started = startBalsa({ data, runtime, http: false, killAfterMs: afterMs });
  const server = await started.catch(() => undefined);
  await server?.kill9();
}

async function writeUntilCut(
  port: number,
  lane: Lane,
  depth: number,
): Promise<{ acknowledged: number; sent: number }> {
  const client = await RespClient.open(port).catch(() => undefined);
  if (client === undefined) return { acknowledged: 0, sent: 0 };
  let acknowledged = 0;
  let sent = 0;
  while (!client.closed) {
    const batch = Array.from({ length: depth }, () => lane.writer.next());
    lane.pending.push(...batch);
    lane.sharedSent++;
    sent += depth + 1;
    const commands = [...batch.map((op) => op.argv), ["INCR", SHARED_COUNTER]];
    void client.send(commands.map(encodeCommand).join(""));
    try {
      for (const op of batch) {
        const reply = await client.read();
        checkReply(op, reply);
        op.apply(lane.state);
        lane.pending.shift();
        acknowledged++;
      }
      await client.read();
      lane.sharedAcked++;
      acknowledged++;
    } catch (error) {
      if (!client.closed) throw error;
    }
  }
  return { acknowledged, sent };
}

/** Errors are answers too, but only RENAME of an absent key may get one. */
function checkReply(op: WriteOp, reply: unknown): void {
  if (!(reply instanceof RespError)) return;
  if (op.argv[0] === "RENAME" && reply.text === "ERR no such key") return;
  throw new Error(`${op.argv[0]} was answered: ${reply.text}`);
}

/** Compares each writer's keys with what it may have left; the number applied past the acks. */
async function verify(server: Server, lanes: readonly Lane[], round: number): Promise<number> {
  const client = await RespClient.open(server.port);
  let unacknowledged = 0;
  for (const lane of lanes) {
    const keys = lane.writer.keys();
    const values = await client.pipeline(keys.map((key) => ["GET", key]));
    const found = new Map<string, string>();
    keys.forEach((key, i) => {
      const value = values[i];
      if (typeof value === "string") found.set(key, value);
      else if (value !== null) throw new Error(`GET ${key}: ${JSON.stringify(value)}`);
    });
    const acknowledged = new Map(lane.state);
    const applied = matchPrefix(lane.state, lane.pending, found);
    if (applied === undefined) {
      throw new Error(describeLoss(lane, acknowledged, found, round));
    }
    unacknowledged += applied;
    lane.pending = [];
  }
  client.close();
  return unacknowledged;
}

/** The counter that all writers share stands between what was acknowledged and what was sent. */
async function verifyShared(server: Server, lanes: readonly Lane[], base: number): Promise<number> {
  const client = await RespClient.open(server.port);
  const value = Number((await client.command("GET", SHARED_COUNTER)) ?? 0);
  let acked = base;
  let sent = base;
  for (const lane of lanes) {
    acked += lane.sharedAcked;
    sent += lane.sharedSent;
    lane.sharedAcked = 0;
    lane.sharedSent = 0;
  }
  client.close();
  if (value < acked || value > sent) {
    throw new Error(`The shared counter is ${value}: acknowledged ${acked}, sent ${sent}`);
  }
  return value;
}

function describeLoss(
  lane: Lane,
  acknowledged: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
  round: number,
): string {
  const short = (value: string | undefined): string =>
    value === undefined ? "(absent)" : JSON.stringify(value.slice(0, 40)) + ` of ${value.length}`;
  const lines = [`Round ${round}, writer ${lane.writer.id}: no prefix of what was sent gives this`];
  for (const key of lane.writer.keys()) {
    const wanted = acknowledged.get(key);
    if (wanted === found.get(key)) continue;
    lines.push(
      `${JSON.stringify(key)}: acknowledged ${short(wanted)}, found ${short(found.get(key))}`,
    );
  }
  lines.push(`${lane.pending.length} commands were sent and not acknowledged`);
  return lines.join("\n");
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "100" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      clients: { type: "string", default: "4" },
      pipeline: { type: "string", default: "32" },
    },
  });
  console.log(`kill9: seed ${values.seed}, runtime ${DEFAULT_RUNTIME}`);
  const result = await runKill9({
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    clients: Number(values.clients),
    pipeline: Number(values.pipeline),
    log: (line) => console.log(line),
  });
  console.log(
    `kill9: ${result.rounds} rounds, ${result.sent} writes sent, ${result.acknowledged} ` +
      `acknowledged and all there, ${result.appliedUnacknowledged} more applied, none in part`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main();
  process.exit(0);
}
