import { spawnSync } from "node:child_process";
import { ProxyNetwork } from "./proxy_network.ts";

/** Where a node's process runs and how the others reach it. */
export interface Place {
  readonly host: string;
  /** Words before its command line. */
  readonly wrapper: readonly string[];
  /** Flags for it; `peerPort`: where it listens for the others. */
  args(peerPort: number): Promise<readonly string[]>;
  /** Where the others reach it. */
  address(peerPort: number): string;
}

/** The network between the nodes, which can be cut; clients reach all nodes all the time. */
export interface Network {
  readonly name: string;
  /** Room for node `n`, counted from 0. */
  place(n: number): Place;
  /** From now on nothing that `from` sends arrives at `to`. */
  cut(from: number, to: number): void;
  /** Ends all cuts. */
  heal(): void;
  close(): void;
}

/** Namespaces where the system allows them, else, or if told so, proxies between the nodes. */
export function makeNetwork(log: (text: string) => void, useProxies: boolean): Network {
  if (useProxies) return new ProxyNetwork();
  const [id, subnet] = [process.pid, 1 + process.pid % 250];
  const network = new NamespaceNetwork(`bc${id}`, `10.213.${subnet}`);
  const problem = network.open();
  if (problem === undefined) return network;
  network.close();
  log(`partitions: by proxies, since network namespaces are not allowed here (${problem})`);
  return new ProxyNetwork();
}

/** A network namespace for each node, joined by a bridge. */
class NamespaceNetwork implements Network {
  readonly name = "network namespaces";
  readonly #id: string;
  readonly #subnet: string;
  readonly #nodes = new Set<number>();
  #cuts: (readonly [from: number, to: number])[] = [];

  constructor(id: string, subnet: string) {
    this.#id = id;
    this.#subnet = subnet;
  }

  /** Makes the bridge; why it cannot, or undefined. */
  open(): string | undefined {
    process.on("exit", () => this.close());
    try {
      ip("link", "add", this.#id, "type", "bridge");
      ip("addr", "add", `${this.#subnet}.1/24`, "dev", this.#id);
      ip("link", "set", this.#id, "up");
      this.#add(0);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  place(n: number): Place {
    this.#add(n);
    const host = this.#host(n);
    return {
      host,
      // Not by ip netns exec: its copy of the mounts would keep a disk that is taken down.
      wrapper: ["nsenter", `--net=/var/run/netns/${this.#space(n)}`],
      args: () => Promise.resolve(["--insecure"]),
      address: (peerPort) => `${host}:${peerPort}`,
    };
  }

  cut(from: number, to: number): void {
    // A link address that nobody has: what is sent is lost on the way, and no one is told.
    const lost = ["lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent"];
    ip("-n", this.#space(from), "neigh", "replace", this.#host(to), ...lost);
    this.#cuts.push([from, to]);
  }

  heal(): void {
    for (const [from, to] of this.#cuts) {
      ip("-n", this.#space(from), "neigh", "del", this.#host(to), "dev", "eth0");
    }
    this.#cuts = [];
  }

  close(): void {
    for (const n of this.#nodes) spawnSync("ip", ["netns", "del", this.#space(n)]);
    spawnSync("ip", ["link", "del", this.#id]);
    this.#nodes.clear();
  }

  #add(n: number): void {
    if (this.#nodes.has(n)) return;
    this.#nodes.add(n);
    const [space, outside] = [this.#space(n), `${this.#id}n${n}`];
    ip("netns", "add", space);
    ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space);
    ip("link", "set", outside, "master", this.#id, "up");
    ip("-n", space, "addr", "add", `${this.#host(n)}/24`, "dev", "eth0");
    ip("-n", space, "link", "set", "eth0", "up");
    ip("-n", space, "link", "set", "lo", "up");
  }

  #space(n: number): string {
    return `${this.#id}s${n}`;
  }

  #host(n: number): string {
    return `${this.#subnet}.${10 + n}`;
  }
}

function ip(...words: string[]): void {
  const { status, stderr, error } = spawnSync("ip", words, { encoding: "utf8" });
  if (status === 0 && error === undefined) return;
  throw new Error(`ip ${words.join(" ")}: ${error?.message ?? stderr.trim()}`);
}
