import { type Bytes, utf8Decode, utf8Encode } from "../src/base/bytes.ts";
import type { ClusterStatus, MemberView } from "../src/commands/cluster_view.ts";
import { ErrorReply, MapReply, type Reply } from "../src/resp/reply.ts";
import type { ADMIN_FLAGS } from "./admin_flags.ts";
import type { Settings } from "./flags.ts";
import { RespClient } from "./resp_client.ts";

/** The node answered with an error; the message is its text. */
export class AnswerError extends Error {
  override name = "AnswerError";
}

/** Where a node is asked, and how. */
export type NodeAddress = Pick<Settings<typeof ADMIN_FLAGS>, "host" | "port" | "password" | "user">;

/** One node of a cluster, asked over RESP. */
export class ClusterClient {
  readonly #client: RespClient;

  private constructor(client: RespClient) {
    this.#client = client;
  }

  /** Throws ConnectionError or AnswerError. */
  static async connect({ host, port, password, user }: NodeAddress): Promise<ClusterClient> {
    // A server's BALSA_HOST may be "any address": here it means this machine.
    const client = new ClusterClient(
      await RespClient.connect(host === "0.0.0.0" ? "127.0.0.1" : host, port),
    );
    try {
      if (password) await client.call("AUTH", ...[user ?? [], password].flat().map(utf8Encode));
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** The reply. Throws ConnectionError or AnswerError. */
  async call(...argv: readonly Bytes[]): Promise<Reply> {
    const reply = await this.#client.call(...argv);
    if (reply instanceof ErrorReply) throw new AnswerError(utf8Decode(reply.text));
    return reply;
  }

  async status(): Promise<ClusterStatus> {
    return statusOf(await this.call("RAFT.CLUSTER", "STATUS"));
  }

  close(): void {
    this.#client.close();
  }
}

/** The reply of RAFT.CLUSTER STATUS, in either protocol. */
export function statusOf(reply: Reply): ClusterStatus {
  const map = fieldsOf(reply);
  const members = map.get("members");
  return {
    clusterId: text(map, "cluster_id"),
    nodeId: number(map, "node_id"),
    role: text(map, "role"),
    term: number(map, "term"),
    leader: number(map, "leader"),
    commit: number(map, "commit"),
    applied: number(map, "applied"),
    lastIndex: number(map, "last_index"),
    snapshotIndex: number(map, "snapshot_index"),
    digest: text(map, "digest"),
    members: Array.isArray(members) ? members.map(memberOf) : [],
  };
}

function memberOf(reply: Reply): MemberView {
  const map = fieldsOf(reply);
  const optional = (name: string) => map.get(name) === null ? undefined : map.get(name);
  return {
    id: number(map, "id"),
    address: text(map, "address"),
    role: text(map, "role") === "learner" ? "learner" : "voter",
    isLeader: number(map, "leader") === 1,
    isConnected: number(map, "connected") === 1,
    ...(optional("match") === undefined ? {} : { match: number(map, "match") }),
    ...(optional("lag") === undefined ? {} : { lag: number(map, "lag") }),
    ...(optional("state") === undefined ? {} : { state: text(map, "state") }),
  };
}

type Fields = ReadonlyMap<string, Reply>;

function fieldsOf(reply: Reply): Fields {
  if (reply instanceof MapReply) {
    return new Map(reply.entries.map(([name, value]) => [String(name), value]));
  }
  const fields = new Map<string, Reply>();
  if (!Array.isArray(reply)) return fields;
  for (let i = 0; i + 1 < reply.length; i += 2) fields.set(String(reply[i]), reply[i + 1]);
  return fields;
}

function text(fields: Fields, name: string): string {
  const value = fields.get(name);
  return typeof value === "string" ? utf8Decode(value) : "";
}

function number(fields: Fields, name: string): number {
  const value = fields.get(name);
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : 0;
}
