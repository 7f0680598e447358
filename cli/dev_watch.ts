import { utf8Encode } from "../src/base/bytes.ts";
import { RespClient } from "./resp_client.ts";

const POLL_MS = 250;
/** A node that is stopped (SIGSTOP) does not answer: the others are not held up by it. */
const ANSWER_MS = 1000;

/** Who leads, as the nodes say. */
export interface Leadership {
  /** Index of the node. */
  readonly node: number;
  /** Its id in the cluster. */
  readonly id: number;
  readonly term: number;
}

interface Watched {
  readonly host: string;
  readonly port: number;
}

/** Asks nodes again and again who leads. */
export class LeaderWatch {
  readonly #nodes: readonly Watched[];
  readonly #password: string;
  readonly #changed: (leader: Leadership | undefined) => void;
  readonly #clients: (RespClient | undefined)[] = [];
  #leader: Leadership | undefined;
  /** Rounds in which nobody said that it leads. */
  #missed = 0;
  #stopped = false;

  /** `changed`: called with each new leader, and with undefined when there is none for a while. */
  constructor(
    nodes: readonly Watched[],
    password: string,
    changed: (leader: Leadership | undefined) => void,
  ) {
    this.#nodes = nodes;
    this.#password = password;
    this.#changed = changed;
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#note(await Promise.all(this.#nodes.map((_, i) => this.#ask(i))));
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const client of this.#clients) client?.close();
  }

  /** A deposed leader may still say that it leads: the latest term counts. */
  #note(answers: readonly (Leadership | undefined)[]): void {
    if (this.#stopped) return;
    let leader: Leadership | undefined;
    for (const answer of answers) {
      if (answer !== undefined && answer.term >= (leader?.term ?? 0)) leader = answer;
    }
    this.#missed = leader === undefined ? this.#missed + 1 : 0;
    const before = this.#leader;
    if (leader === undefined) {
      if (before === undefined || this.#missed < 2) return;
    } else if (before?.node === leader.node && before.term === leader.term) {
      return;
    } else if (before !== undefined && leader.term < before.term) {
      return;
    }
    this.#leader = leader;
    this.#changed(leader);
  }

  /** What node `i` says of itself when it leads; undefined otherwise. */
  async #ask(i: number): Promise<Leadership | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ANSWER_MS);
    });
    try {
      const info = await Promise.race([this.#info(i), late]);
      if (info === undefined) this.#drop(i);
      return parseLeader(i, info ?? "");
    } catch {
      this.#drop(i);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  async #info(i: number): Promise<string> {
    const client = this.#clients[i]?.open ? this.#clients[i] : await this.#connect(i);
    const reply = await client.call("INFO", "raft");
    return typeof reply === "string" ? reply : "";
  }

  async #connect(i: number): Promise<RespClient> {
    const { host, port } = this.#nodes[i];
    const client = await RespClient.connect(host, port);
    if (this.#stopped) client.close();
    this.#clients[i] = client;
    if (this.#password !== "") await client.call("AUTH", utf8Encode(this.#password));
    return client;
  }

  #drop(i: number): void {
    this.#clients[i]?.close();
    this.#clients[i] = undefined;
  }
}

function parseLeader(node: number, info: string): Leadership | undefined {
  const field = (name: string) => new RegExp(`^${name}:(\\S+)`, "m").exec(info)?.[1];
  if (field("raft_role") !== "leader") return undefined;
  return { node, id: Number(field("raft_node_id")), term: Number(field("raft_term")) };
}
