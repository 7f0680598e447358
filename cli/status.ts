import process from "node:process";
import type { ClusterStatus } from "../src/commands/cluster_view.ts";
import { hostPort } from "../src/runtime/listen_error.ts";
import { ADMIN_FLAGS } from "./admin_flags.ts";
import { AnswerError, ClusterClient, type NodeAddress } from "./cluster_client.ts";
import { flagHelp, parseCommandLine } from "./flags.ts";
import { parseAddress } from "./peer_address.ts";
import { ConnectionError } from "./resp_client.ts";
import { reportOf, reportText } from "./status_report.ts";
import { UsageError } from "./usage_error.ts";

/** How a peer port is chosen where it is not given. */
const PEER_PORT_OFFSET = 10_000;
const GUESS_MS = 1000;

/** `balsa status`. Returns the exit code: 1 when there is no leader, or no answer. */
export async function status(args: readonly string[]): Promise<number> {
  const { settings, positionals, help } = parseCommandLine(ADMIN_FLAGS, {
    args,
    environment: process.env,
    mixed: true,
  });
  if (help) {
    console.log(statusHelp());
    return 0;
  }
  const others = positionals.map((text) => {
    const address = parseAddress(text);
    if (address !== undefined) return { ...settings, ...address };
    throw new UsageError(`${JSON.stringify(text)} is no HOST:PORT of a node`);
  });
  try {
    const asked = await ask(settings);
    const statuses = [asked, ...await askOthers(settings, asked, others)];
    const report = reportOf(statuses);
    console.log(
      settings.json
        ? JSON.stringify(report, null, 2)
        : reportText(report, hostPort(settings.host, settings.port)),
    );
    return report.leader === 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof ConnectionError || error instanceof AnswerError)) throw error;
    console.error(error.message);
    return 1;
  }
}

/** The text of `balsa status --help`. */
export function statusHelp(): string {
  return [
    "Usage: balsa status [FLAGS] [HOST:PORT…]",
    "",
    "Shows a cluster as a node sees it: members, who leads, how far each one is. More nodes may be",
    "named, by their RESP addresses, to be asked too: what each has applied, with a digest of its",
    "data (equal where the applied index is). Without a password, members whose RESP port is their",
    "peer port - 10000 need not be named.",
    "",
    flagHelp(ADMIN_FLAGS),
    "",
    "BALSA_HOST, BALSA_PORT and BALSA_PASSWORD are read from the environment.",
  ].join("\n");
}

async function ask(address: NodeAddress): Promise<ClusterStatus> {
  const client = await ClusterClient.connect(address);
  try {
    return await client.status();
  } finally {
    client.close();
  }
}

/** What other nodes of the same cluster say; those that do not answer are left out. */
async function askOthers(
  settings: NodeAddress,
  asked: ClusterStatus,
  named: readonly NodeAddress[],
): Promise<ClusterStatus[]> {
  // A password is told to nobody but the nodes that were named.
  const guessed = settings.password ? [] : guess(asked);
  const answers = await Promise.all([
    ...named.map((address) =>
      ask(address).catch((error) => {
        console.error(error instanceof Error ? error.message : String(error));
        return undefined;
      })
    ),
    ...guessed.map((address) => within(GUESS_MS, ask(address)).catch(() => undefined)),
  ]);
  const found = new Map<number, ClusterStatus>();
  for (const answer of answers) {
    if (answer === undefined || answer.nodeId === asked.nodeId) continue;
    if (answer.clusterId === asked.clusterId) found.set(answer.nodeId, answer);
    else console.error(`node ${answer.nodeId} is of another cluster: ${answer.clusterId}`);
  }
  return [...found.values()];
}

function guess({ members, nodeId }: ClusterStatus): NodeAddress[] {
  return members.flatMap(({ id, address }) => {
    const peer = parseAddress(address);
    if (peer === undefined || id === nodeId || peer.port <= PEER_PORT_OFFSET) return [];
    const port = peer.port - PEER_PORT_OFFSET;
    return [{ host: peer.host, port, password: undefined, user: undefined }];
  });
}

function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
