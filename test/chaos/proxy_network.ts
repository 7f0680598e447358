import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "../system/harness.ts";
import type { Network, Place } from "./network.ts";

/** One connection through a proxy; the dialer says in its first frame who it is. */
interface Link {
  /** The dialer's number; undefined until it has said so. */
  from: number | undefined;
  readonly to: number;
  readonly dialer: Socket;
  readonly acceptor: Socket;
}

/**
 * A proxy before each node, on the address that the others know. A connection that is cut in one
 * direction keeps what was sent there; when the cut has healed it is closed, since its peers have
 * given it up or soon will.
 */
export class ProxyNetwork implements Network {
  readonly name = "proxies";
  readonly #servers: Server[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #links = new Set<Link>();
  readonly #cuts = new Set<string>();

  place(n: number): Place {
    let port = 0;
    return {
      host: "127.0.0.1",
      wrapper: [],
      args: async (peerPort) => {
        port = await freePort();
        this.#numbers.set(`127.0.0.1:${port}`, n);
        const server = createServer((dialer) => this.#accept(dialer, n, peerPort));
        server.listen(port, "127.0.0.1");
        this.#servers.push(server);
        return ["--advertise", `127.0.0.1:${port}`];
      },
      address: () => `127.0.0.1:${port}`,
    };
  }

  cut(from: number, to: number): void {
    this.#cuts.add(`${from} ${to}`);
    for (const link of this.#links) this.#apply(link);
  }

  heal(): void {
    const cut = [...this.#links].filter((link) => this.#isCut(link.from, link.to, true));
    this.#cuts.clear();
    for (const { dialer, acceptor } of cut) {
      dialer.destroy();
      acceptor.destroy();
    }
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const { dialer, acceptor } of this.#links) {
      dialer.destroy();
      acceptor.destroy();
    }
  }

  #accept(dialer: Socket, to: number, peerPort: number): void {
    const acceptor = connect({ host: "127.0.0.1", port: peerPort });
    const link: Link = { from: undefined, to, dialer, acceptor };
    this.#links.add(link);
    for (const [one, other] of [[dialer, acceptor], [acceptor, dialer]]) {
      one.setNoDelay(true);
      one.on("error", () => {});
      one.on("close", () => {
        other.destroy();
        this.#links.delete(link);
      });
    }
    let head = "";
    dialer.on("data", (chunk) => {
      if (link.from === undefined) {
        head = (head + chunk.toString("latin1")).slice(-4096);
        const address = /"address":"([^"]*)"/.exec(head)?.[1];
        link.from = address === undefined ? undefined : this.#numbers.get(address);
        this.#apply(link);
      }
      acceptor.write(chunk);
    });
    acceptor.on("data", (chunk) => dialer.write(chunk));
  }

  /** What a paused side sends stays in its socket. */
  #apply({ from, to, dialer, acceptor }: Link): void {
    if (this.#isCut(from, to)) dialer.pause();
    if (this.#isCut(to, from)) acceptor.pause();
  }

  #isCut(from: number | undefined, to: number | undefined, isEither = false): boolean {
    return this.#cuts.has(`${from} ${to}`) || (isEither && this.#cuts.has(`${to} ${from}`));
  }
}
