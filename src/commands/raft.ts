import type { Bytes } from "../base/bytes.ts";
import { utf8Encode } from "../base/bytes.ts";
import { isWildcard } from "../base/wildcard.ts";
import { err, ErrorReply, MapReply, OK, type Reply, Status, wrongArity } from "../resp/reply.ts";
import type { ClusterRequest, ClusterStatus, MemberView } from "./cluster_view.ts";
import type { Command } from "./command.ts";
import { localCommand, localContainer } from "./define_local.ts";
import { errQuoting, helpReply, quoted } from "./help.ts";
import type { LocalContext } from "./local_context.ts";
import { parseOffset } from "./parse.ts";

const INVALID_NODE_ID = err("invalid node id");

/**
 * RAFT.CLUSTER INIT: "OK <cluster id>", as in RedisRaft. A node founds its cluster when it starts,
 * so this only tells it; where there are other members it is an error.
 */
function clusterInit({ node }: LocalContext): Reply {
  const { clusterId, members } = node.cluster.status();
  if (members.length > 1) return err("Already cluster member");
  return new Status(`OK ${clusterId}`);
}

/**
 * RAFT.CLUSTER JOIN host:port [host:port …]: a node that is alone and was never written to starts
 * anew, as with --join; its connections end.
 */
async function clusterJoin({ node }: LocalContext, argv: readonly Bytes[]): Promise<Reply> {
  const addresses = argv.slice(2);
  const wrong = addresses.find((address) => !isAddress(address));
  if (wrong !== undefined) return errQuoting(`invalid node address '${quoted(wrong, 128)}'`);
  const answer = await node.cluster.join(addresses);
  return answer.ok ? OK : failure(answer.error);
}

/** RAFT.CLUSTER STATUS: what this node knows of the cluster, as a map. */
function clusterStatus({ node }: LocalContext): Reply {
  return statusReply(node.cluster.status());
}

function statusReply(status: ClusterStatus): Reply {
  return new MapReply([
    ["cluster_id", status.clusterId],
    ["node_id", status.nodeId],
    ["role", status.role],
    ["term", status.term],
    ["leader", status.leader],
    ["commit", status.commit],
    ["applied", status.applied],
    ["last_index", status.lastIndex],
    ["snapshot_index", status.snapshotIndex],
    ["digest", status.digest],
    ["members", status.members.map(memberReply)],
  ]);
}

function memberReply(member: MemberView): Reply {
  return new MapReply([
    ["id", member.id],
    ["address", utf8Encode(member.address)],
    ["role", member.role],
    ["leader", member.isLeader ? 1 : 0],
    ["connected", member.isConnected ? 1 : 0],
    ["match", member.match ?? null],
    ["lag", member.lag ?? null],
    ["state", member.state ?? null],
  ]);
}

/** RAFT.NODE LIST: a map for each member. */
function nodeList({ node }: LocalContext): Reply {
  return node.cluster.status().members.map(memberReply);
}

/**
 * RAFT.NODE ADD id host:port: admits a learner; [its id, the cluster's id], as in RedisRaft. Id 0
 * has the leader choose one.
 */
async function nodeAdd({ node }: LocalContext, argv: readonly Bytes[]): Promise<Reply> {
  const id = parseId(argv[2], 0);
  if (id === undefined) return INVALID_NODE_ID;
  const address = argv[3];
  if (!isAddress(address)) return errQuoting(`invalid node address '${quoted(address, 128)}'`);
  const request: ClusterRequest = id === 0
    ? { kind: "join", address }
    : { kind: "add", id, address };
  const answer = await node.cluster.request(request);
  if (!answer.ok) return failure(answer.error);
  return [answer.id, node.cluster.status().clusterId];
}

/** RAFT.NODE PROMOTE id: makes a learner a voter. */
function nodePromote(context: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply> {
  const id = parseId(argv[2], 1);
  if (id === undefined) return INVALID_NODE_ID;
  return carryOut(context, { kind: "promote", id });
}

/** RAFT.NODE REMOVE id */
function nodeRemove(context: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply> {
  const id = parseId(argv[2], 1);
  if (id === undefined) return INVALID_NODE_ID;
  return carryOut(context, { kind: "remove", id });
}

/** RAFT.TRANSFER_LEADER [id]: to that voter, or to the most advanced one. */
function transferLeader(context: LocalContext, argv: readonly Bytes[]): Reply | Promise<Reply> {
  if (argv.length > 2) return wrongArity("raft.transfer_leader");
  const id = argv.length === 1 ? 0 : parseId(argv[1], 1);
  if (id === undefined) return INVALID_NODE_ID;
  if (id !== 0 && context.node.cluster.status().leader === id) return OK;
  return carryOut(context, { kind: "transfer", id });
}

/** RAFT.SNAPSHOT: takes one on this node; the log index that it stands at. */
async function snapshot({ node }: LocalContext): Promise<Reply> {
  const answer = await node.cluster.snapshot();
  return answer.ok ? answer.index : failure(answer.error);
}

async function carryOut({ node }: LocalContext, request: ClusterRequest): Promise<Reply> {
  const answer = await node.cluster.request(request);
  return answer.ok ? OK : failure(answer.error);
}

function failure(text: string): ErrorReply {
  return errQuoting(utf8Encode(text));
}

function parseId(text: Bytes, min: number): number | undefined {
  const id = parseOffset(text);
  return id === undefined || id < min ? undefined : id;
}

/** "host:port", a host without blanks that others can connect to. */
function isAddress(text: Bytes): boolean {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([!-9;-Z^-~]+)):(\d{1,5})$/.exec(text);
  if (match === null || text.length > 300 || isWildcard(match[1] ?? match[2])) return false;
  return Number(match[3]) >= 1 && Number(match[3]) <= 65_535;
}

const CLUSTER_HELP = [
  "INIT",
  "    Return the id of the cluster that this node has founded.",
  "JOIN <host:port> [<host:port> ...]",
  "    Join their cluster with this node, which is alone and was never written to.",
  "STATUS",
  "    Return what this node knows of the cluster.",
];

const NODE_HELP = [
  "ADD <id> <host:port>",
  "    Admit a node as a learner; id 0 has the leader choose one.",
  "LIST",
  "    Return the members of the cluster.",
  "PROMOTE <id>",
  "    Make a learner a voter.",
  "REMOVE <id>",
  "    Remove a member.",
];

/** Management of the cluster, in the verbs of RedisRaft. */
export const raftCommands: readonly Command[] = [
  localContainer("raft.cluster", [
    ["init", -2, clusterInit],
    ["join", -3, clusterJoin],
    ["status", 2, clusterStatus],
    ["help", 2, () => helpReply("RAFT.CLUSTER", CLUSTER_HELP)],
  ]),
  localContainer("raft.node", [
    ["add", 4, nodeAdd],
    ["list", 2, nodeList],
    ["promote", 3, nodePromote],
    ["remove", 3, nodeRemove],
    ["help", 2, () => helpReply("RAFT.NODE", NODE_HELP)],
  ]),
  localCommand("raft.transfer_leader", -1, transferLeader),
  localCommand("raft.snapshot", 1, snapshot),
];
