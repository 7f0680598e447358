import type { Buffer } from "node:buffer";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { Logger } from "../base/log.ts";
import { MAXCLIENTS_REACHED } from "../resp/errors.ts";
import { NOT_STARTED } from "../server/errors.ts";
import type { Limits } from "../server/limits.ts";
import type { Server } from "../server/server.ts";
import { RespSession } from "./resp_session.ts";

export interface RespListenerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly logger: Logger;
  readonly limits: Limits;
  readonly nextSessionId: () => number;
}

const IDLE_SWEEP_MS = 1000;
const BACKLOG = 511;

/** The RESP listener: raw sockets, one RespSession each. */
export class RespListener {
  readonly host: string;
  readonly port: number;
  readonly #net: NetServer;
  readonly #sessions: Set<RespSession>;
  readonly #sweep: ReturnType<typeof setInterval>;

  private constructor(
    net: NetServer,
    o: RespListenerOptions,
    all: Set<RespSession>,
  ) {
    const address = net.address();
    this.#net = net;
    this.#sessions = all;
    this.host = o.host;
    this.port = typeof address === "object" && address !== null ? address.port : o.port;
    this.#sweep = setInterval(() => {
      this.#closeIdle(o.limits.idleTimeoutMs);
      for (const session of all) session.checkSoftLimit(Date.now());
    }, IDLE_SWEEP_MS);
    this.#sweep.unref?.();
  }

  /** Listens; rejects with the system's error (EADDRINUSE, EACCES, …) when it cannot. */
  static listen(
    current: () => Server | undefined,
    options: RespListenerOptions,
  ): Promise<RespListener> {
    const sessions = new Set<RespSession>();
    const net = createServer(
      { noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: 300_000 },
      (socket) => accept(current(), options, sessions, socket),
    );
    return new Promise((resolve, reject) => {
      net.once("error", reject);
      net.listen({ host: options.host, port: options.port, backlog: BACKLOG }, () => {
        net.off("error", reject);
        net.on("error", (error) => options.logger.error("RESP listener", { error: error.message }));
        resolve(new RespListener(net, options, sessions));
      });
    });
  }

  /** Accepts no more connections. */
  stopAccepting(): void {
    clearInterval(this.#sweep);
    this.#net.close();
  }

  /** Closes every connection, after its due replies or (`now`) at once. */
  closeAll(now: boolean): void {
    for (const session of this.#sessions) session.close(now);
  }

  #closeIdle(idleTimeoutMs: number): void {
    if (idleTimeoutMs === 0) return;
    const now = Date.now();
    for (const session of this.#sessions) {
      if (session.type === "pubsub" || !session.idle) continue;
      if (now - session.lastActiveMs > idleTimeoutMs) session.close(true);
    }
  }
}

function accept(
  server: Server | undefined,
  options: RespListenerOptions,
  sessions: Set<RespSession>,
  socket: Socket,
): void {
  const { limits } = options;
  if (server === undefined) {
    socket.on("error", () => {});
    socket.end(`-${NOT_STARTED.text}\r\n`);
    return;
  }
  if (sessions.size >= limits.clientsMax) {
    server.metrics.connectionsRejected++;
    socket.on("error", () => {});
    socket.end(`-${MAXCLIENTS_REACHED}\r\n`);
    return;
  }
  server.metrics.connectionsReceived++;
  const session = new RespSession(server, socket, {
    id: options.nextSessionId(),
    nowMs: server.wallMs(),
    remoteAddress: `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`,
    localAddress: `${socket.localAddress ?? "?"}:${socket.localPort ?? 0}`,
    passwordRequired: () => server.features.access.passwordRequired,
    restriction: () => server.features.access.restrictionOf("default"),
  }, limits);
  sessions.add(session);
  server.sessions.set(session.id, session);
  socket.on("data", (chunk: Buffer) => session.receive(chunk));
  socket.on("drain", () => session.drained());
  socket.on("end", () => session.endReceived());
  socket.on("error", () => session.close(true));
  socket.on("close", () => {
    session.gone();
    sessions.delete(session);
    server.sessions.delete(session.id);
  });
}
