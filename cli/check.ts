import process from "node:process";
import { ErrorReply } from "../src/resp/reply.ts";
import { type CheckResult, checkSummary } from "./check_report.ts";
import { CheckClients } from "./check_clients.ts";
import { callWithin, Connections, Endpoint } from "./check_endpoint.ts";
import { CHECK_FLAGS } from "./check_flags.ts";
import { AnswerError } from "./cluster_client.ts";
import { flagHelp, parseCommandLine, type Settings } from "./flags.ts";
import { parseAddress } from "./peer_address.ts";
import { ConnectionError } from "./resp_client.ts";
import { toldToStop } from "./stop_signals.ts";
import { UsageError } from "./usage_error.ts";

const PROGRESS_MS = 1000;
/** To whoever has not signed in. */
const DENIED = /^NOAUTH /;
/** How often it is looked whether a violation was found. */
const LOOK_MS = 50;

/**
 * `balsa check`: works on a live store and judges what it answered. Returns the exit code: 0 when
 * all of it is linearizable, 1 when it is not, could not be decided or nothing was answered.
 */
export async function check(args: readonly string[]): Promise<number> {
  const { settings, positionals, help } = parseCommandLine(CHECK_FLAGS, {
    args,
    environment: process.env,
  });
  if (help) {
    console.log(checkHelp());
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`check takes flags only: ${positionals[0]}`);
  const endpoints = settings.addr.map((text) => endpointOf(text, settings));
  const stop = toldToStop();
  let lists: boolean;
  try {
    lists = await Promise.race([hasLists(endpoints, settings.timeout), stop.then(neverBegun)]);
  } catch (error) {
    if (!(error instanceof ConnectionError || error instanceof AnswerError)) throw error;
    if (settings.json) console.log(JSON.stringify({ ok: false, error: error.message }));
    else console.error(error.message);
    return 1;
  }
  const result = await run(settings, endpoints, { lists, stop });
  const { text, isGood } = checkSummary(result, settings.json);
  console.log(text);
  return isGood ? 0 : 1;
}

/** The text of `balsa check --help`. */
export function checkHelp(): string {
  return [
    "Usage: balsa check --addr HOST:PORT[,…] --seconds N",
    "",
    "Whether a store is linearizable: sends commands to all its addresses from many clients at",
    "once, records when each was sent and answered, and looks for an order that explains all",
    "replies. Kill, stop and cut off nodes meanwhile. The store may be Balsa's or any other that",
    "speaks RESP; a node that refuses writes is read only. Its keys begin with balsa-check: and are",
    "removed in the end.",
    "",
    "Exit code 0: linearizable; 1: not, with the smallest part of the history that shows it, or not",
    "decided: nothing was written or read, some keys could not be read in the end, or errors came",
    "that no store should give.",
    "",
    flagHelp(CHECK_FLAGS),
  ].join("\n");
}

function endpointOf(text: string, settings: Settings<typeof CHECK_FLAGS>): Endpoint {
  const { host, port } = parseAddress(text)!;
  return new Endpoint({ host, port, password: settings.password, user: settings.user });
}

function neverBegun(): never {
  throw new AnswerError("told to stop before an address answered");
}

/** Asks the first that answers whether it knows lists. Throws what the last one that fails says. */
async function hasLists(endpoints: readonly Endpoint[], timeoutMs: number): Promise<boolean> {
  const connections = new Connections();
  try {
    for (const [i, endpoint] of endpoints.entries()) {
      try {
        const client = await connections.to(endpoint);
        const reply = await callWithin(client, ["COMMAND", "INFO", "RPUSH"], timeoutMs);
        if (reply === undefined) throw new ConnectionError(`No answer from ${endpoint.name}`);
        if (reply instanceof ErrorReply && DENIED.test(reply.text)) {
          throw new AnswerError(reply.text);
        }
        return Array.isArray(reply) && Array.isArray(reply[0]) && reply[0].length > 0;
      } catch (error) {
        if (i === endpoints.length - 1) throw error;
      }
    }
    return false;
  } finally {
    connections.close();
  }
}

async function run(
  settings: Settings<typeof CHECK_FLAGS>,
  endpoints: readonly Endpoint[],
  { lists, stop }: { readonly lists: boolean; readonly stop: Promise<unknown> },
): Promise<CheckResult> {
  const seed = settings.seed ?? crypto.getRandomValues(new Uint32Array(1))[0];
  const clients = new CheckClients({
    endpoints: () => endpoints,
    clients: settings.clients,
    depth: 1,
    seed,
    prefix: `balsa-check:${crypto.randomUUID().slice(0, 8)}:`,
    lists,
    timeoutMs: settings.timeout,
  });
  const { recorder } = clients;
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const progress = setInterval(() => {
    const { reads, writes, unknown } = recorder.counts;
    console.error(
      `${seconds().toFixed(0).padStart(4)} s  ${reads + writes} operations, ${unknown} unknown`,
    );
  }, PROGRESS_MS);
  let isTold = false;
  void stop.then(() => isTold = true);
  clients.start();
  while (!isTold && seconds() < settings.seconds && recorder.verdict.kind !== "violation") {
    await new Promise((wake) => setTimeout(wake, LOOK_MS));
  }
  clearInterval(progress);
  await clients.stop();
  const unread = recorder.verdict.kind === "violation" ? 0 : await clients.readAll();
  const verdict = recorder.check();
  await clients.close();
  const { complaints } = clients;
  const keys = recorder.requests.length;
  const { counts, refusals } = recorder;
  return { seed, seconds: seconds(), counts, refusals, keys, unread, verdict, complaints };
}
