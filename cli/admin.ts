import process from "node:process";
import { utf8Encode } from "../src/base/bytes.ts";
import type { ClusterStatus, MemberView } from "../src/commands/cluster_view.ts";
import { ADMIN_FLAGS } from "./admin_flags.ts";
import { AnswerError, ClusterClient } from "./cluster_client.ts";
import { flagHelp, parseCommandLine } from "./flags.ts";
import { parseAddress } from "./peer_address.ts";
import { ConnectionError } from "./resp_client.ts";
import { UsageError } from "./usage_error.ts";

/** What came of it: fields for --json, lines for people. */
interface Outcome {
  readonly fields: Readonly<Record<string, string | number>>;
  readonly lines: readonly string[];
}

/** One task for a cluster. */
interface Task {
  /** What follows the name in the usage line. */
  readonly operands: string;
  readonly operandsMin: number;
  readonly operandsMax: number;
  readonly help: readonly string[];
  readonly run: (client: ClusterClient, operands: readonly string[]) => Promise<Outcome>;
}

export type TaskName = "add" | "remove" | "transfer" | "snapshot";

const TASKS: Readonly<Record<TaskName, Task>> = {
  add: {
    operands: "HOST:PEERPORT",
    operandsMin: 1,
    operandsMax: 1,
    help: [
      "Admits a node as a learner, by the address of its peer port. It becomes a voter by itself",
      "once it has caught up. A node that is started with --join needs no balsa add.",
    ],
    run: add,
  },
  remove: {
    operands: "NODE",
    operandsMin: 1,
    operandsMax: 1,
    help: ["Removes a member, named by its id or by its peer address. Its data stay on its disk."],
    run: remove,
  },
  transfer: {
    operands: "[NODE]",
    operandsMin: 0,
    operandsMax: 1,
    help: [
      "Hands leadership to a voter, named by its id or its peer address; to the most advanced one",
      "when none is named.",
    ],
    run: transfer,
  },
  snapshot: {
    operands: "",
    operandsMin: 0,
    operandsMax: 0,
    help: ["Has the node that is asked take a snapshot now, and drop the log behind it."],
    run: snapshot,
  },
};

/** `balsa add`, `remove`, `transfer` and `snapshot`. Returns the exit code: 1 after an error. */
export async function admin(name: TaskName, args: readonly string[]): Promise<number> {
  const task = TASKS[name];
  const { settings, positionals, help } = parseCommandLine(ADMIN_FLAGS, {
    args,
    environment: process.env,
    mixed: true,
  });
  if (help) {
    console.log(adminHelp(name));
    return 0;
  }
  if (positionals.length < task.operandsMin || positionals.length > task.operandsMax) {
    throw new UsageError(`usage: ${usage(name)}`);
  }
  let client: ClusterClient | undefined;
  try {
    client = await ClusterClient.connect(settings);
    const { fields, lines } = await task.run(client, positionals);
    if (settings.json) console.log(JSON.stringify({ ok: true, ...fields }));
    else for (const line of lines) console.log(line);
    return 0;
  } catch (error) {
    if (!(error instanceof ConnectionError || error instanceof AnswerError)) throw error;
    if (settings.json) console.log(JSON.stringify({ ok: false, error: error.message }));
    else console.error(error.message);
    return 1;
  } finally {
    client?.close();
  }
}

/** The text of `balsa NAME --help`. */
export function adminHelp(name: TaskName): string {
  return [
    `Usage: ${usage(name)}`,
    "",
    ...TASKS[name].help,
    "",
    flagHelp(ADMIN_FLAGS),
    "",
    "BALSA_HOST, BALSA_PORT and BALSA_PASSWORD are read from the environment.",
  ].join("\n");
}

function usage(name: TaskName): string {
  return `balsa ${name} [FLAGS] ${TASKS[name].operands}`.trimEnd();
}

async function add(client: ClusterClient, [address]: readonly string[]): Promise<Outcome> {
  if (parseAddress(address) === undefined) {
    throw new UsageError(`${JSON.stringify(address)} is no HOST:PEERPORT`);
  }
  const reply = await client.call("RAFT.NODE", "ADD", "0", utf8Encode(address));
  const id = Array.isArray(reply) ? Number(reply[0]) : 0;
  const { members } = await client.status();
  const others = members.filter((member) => member.id !== id).map((member) => member.address);
  return {
    fields: { id },
    lines: [
      `node ${id} at ${address} is admitted as a learner`,
      `it is started with: balsa serve --join ${others.join(",")} (and its other flags)`,
    ],
  };
}

async function remove(client: ClusterClient, [operand]: readonly string[]): Promise<Outcome> {
  const member = await findMember(client, operand);
  await client.call("RAFT.NODE", "REMOVE", `${member.id}`);
  const lines = [`node ${member.id} at ${member.address} is removed`];
  const { members } = await client.status();
  if (members.filter(({ id, role }) => id !== member.id && role === "voter").length === 2) {
    lines.push("warning: two voters: losing either one stops writes");
  }
  return { fields: { id: member.id }, lines };
}

async function transfer(client: ClusterClient, [operand]: readonly string[]): Promise<Outcome> {
  const target = operand === undefined ? undefined : await findMember(client, operand);
  await client.call("RAFT.TRANSFER_LEADER", ...(target === undefined ? [] : [`${target.id}`]));
  const { leader, term } = await settledStatus(client);
  return { fields: { leader, term }, lines: [`node ${leader} leads, term ${term}`] };
}

async function snapshot(client: ClusterClient): Promise<Outcome> {
  const index = Number(await client.call("RAFT.SNAPSHOT"));
  return { fields: { index }, lines: [`snapshot taken at index ${index}`] };
}

/** A status with a leader in it; the node that is asked may learn of the new one a bit later. */
async function settledStatus(client: ClusterClient): Promise<ClusterStatus> {
  for (let tries = 0;; tries++) {
    const status = await client.status();
    if (status.leader !== 0 || tries === 20) return status;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A member by id or by address. */
async function findMember(client: ClusterClient, operand: string): Promise<MemberView> {
  const { members } = await client.status();
  const found = members.find(({ id, address }) => `${id}` === operand || address === operand);
  if (found !== undefined) return found;
  const known = members.map(({ id, address }) => `${id} (${address})`).join(", ");
  throw new AnswerError(`ERR no member ${JSON.stringify(operand)}; there are ${known}`);
}
