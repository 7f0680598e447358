import type { Buffer } from "node:buffer";
import { connect, createServer } from "node:net";
import type { HostPort } from "./address.ts";

/** One end of a byte stream between two nodes: as much of a TCP socket as is used here. */
export interface PeerSocket {
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  /** Bytes written that are still here. */
  readonly writableLength: number;
  readonly writableNeedDrain: boolean;
  setNoDelay(on: boolean): unknown;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: () => void): unknown;
  once(event: "drain", listener: () => void): unknown;
  write(bytes: Uint8Array): unknown;
  end(): unknown;
  destroy(): unknown;
}

export interface PeerListener {
  readonly port: number;
  close(): void;
}

/** The network between nodes, given from outside so that a test can cut it. */
export interface Net {
  connect(to: HostPort): PeerSocket;
  /** Listens; rejects with the system's error. A later one goes to `failed`. */
  listen(
    at: HostPort,
    accept: (socket: PeerSocket) => void,
    failed: (error: Error) => void,
  ): Promise<PeerListener>;
}

/** The end of a peer that went without a word is noticed, be nothing sent to it. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000 };

export const SYSTEM_NET: Net = {
  connect: ({ host, port }) => connect({ host, port, ...KEEP_ALIVE }),
  listen({ host, port }, accept, failed) {
    const server = createServer(KEEP_ALIVE, accept);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, () => {
        server.off("error", reject);
        server.on("error", failed);
        const address = server.address();
        resolve({
          port: typeof address === "object" && address !== null ? address.port : 0,
          close: () => server.close(),
        });
      });
    });
  },
};
