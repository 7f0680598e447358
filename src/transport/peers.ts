import type { Clock, Timer } from "../base/clock.ts";
import { type Entropy, randomFraction } from "../base/entropy.ts";
import type { LogFields, Logger } from "../base/log.ts";
import { FRAME, type Frame } from "./frame.ts";
import type { PeerIdentity, Purpose } from "./handshake.ts";
import { splitAddress } from "./address.ts";
import type { Net, PeerListener, PeerSocket } from "./net.ts";
import { type ConnectionOptions, PeerConnection } from "./peer_connection.ts";

export interface PeersOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly net: Net;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly secret: string;
  readonly payloadBytesMax: number;
  readonly logger: Logger;
  readonly local: () => PeerIdentity;
  /** Why a peer is not let in; undefined lets it in. */
  readonly refuse: (remote: PeerIdentity, purpose: Purpose) => string | undefined;
  /** Whether a node that is no member here may be one that this node has not heard of yet. */
  readonly mayBeNew: (nodeId: number) => boolean;
  /** A message connection to this node is up. */
  readonly connected: (remote: PeerIdentity) => void;
  readonly disconnected: (nodeId: number) => void;
  /** A frame on a message connection. */
  readonly message: (from: number, frame: Frame) => void;
  /** A peer opened a connection for requests or a snapshot: whoever takes it gets its frames. */
  readonly accepted: (connection: PeerConnection) => FrameHandler;
}

/** Takes the frames of one connection, and its end. */
export interface FrameHandler {
  frame(frame: Frame): void;
  closed(reason: string): void;
}

const DIAL_RETRY_MS_MIN = 50;
const DIAL_RETRY_MS_MAX = 1000;
/** The node with the lower id waits for the other to dial first, so that one connection is made. */
const DIAL_PATIENCE_MS = 300;
const PING_INTERVAL_MS = 2000;
/**
 * After so many pings without a word from it a peer is taken for gone, and its connection closed:
 * TCP alone may need minutes to notice, and as long again to go on after a cut has healed.
 */
const PINGS_UNHEARD_MAX = 3;
/** Why a node refuses peers until it has founded or joined a cluster. */
export const IN_NO_CLUSTER = "this node is in no cluster yet";
/** A stranger's connections that may be open at a time. */
const STRANGERS_MAX = 256;

interface Member {
  readonly id: number;
  address: string;
  connection: PeerConnection | undefined;
  dialing: boolean;
  retryMs: number;
  timer: Timer | undefined;
  lastReason: string;
}

/** The connections of this node to the other members of its cluster. */
export class Peers {
  readonly #options: PeersOptions;
  readonly #members = new Map<number, Member>();
  readonly #handlers = new Map<PeerConnection, FrameHandler>();
  readonly #connections = new Set<PeerConnection>();
  #listener: PeerListener | undefined;
  #ping: Timer | undefined;
  #stopped = false;

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** The port in use; 0 before `listen`. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Listens; rejects with the system's error when it cannot. */
  async listen(): Promise<void> {
    const { host, port, logger, net } = this.#options;
    this.#listener = await net.listen(
      { host, port },
      (socket) => this.#accept(socket),
      (error) => logger.error("peer listener", { error: error.message }),
    );
    if (this.#stopped) this.#listener.close();
    else this.#planPing();
  }

  /**
   * Keeps a message connection to each of these nodes, and to no others; but what connections there
   * are with those that are `awaited`, as this node has yet to hear of their admission, stay.
   */
  setMembers(
    addresses: ReadonlyMap<number, string>,
    awaited: (id: number) => boolean = () => false,
  ): void {
    for (const [id, member] of this.#members) {
      if (addresses.has(id)) continue;
      if (member.connection !== undefined && awaited(id)) continue;
      // While it is one, so that its end is told of as that of any other.
      member.connection?.close("it is no member any more");
      this.#members.delete(id);
      member.timer?.cancel();
    }
    for (const [id, address] of addresses) {
      const member = this.#members.get(id);
      if (member === undefined) this.#addMember(id, address);
      else if (member.connection === undefined) member.address = address;
    }
  }

  isConnected(id: number): boolean {
    return this.#members.get(id)?.connection !== undefined;
  }

  /** The members with a message connection, as they have presented themselves. */
  connected(): PeerIdentity[] {
    return [...this.#members.values()].flatMap(({ connection }) => connection?.remote ?? []);
  }

  /** Sends on the message connection; false when there is none. */
  send(to: number, type: number, payload: Uint8Array): boolean {
    return this.#members.get(to)?.connection?.send(type, payload) ?? false;
  }

  /** Opens a connection of its own to an address; rejects with the reason when it fails. */
  open(
    address: string,
    to: { readonly nodeId: number; readonly purpose: Purpose },
    handler: FrameHandler,
  ): Promise<PeerConnection> {
    return new Promise((resolve, reject) => {
      this.#dial(address, to, {
        ...this.#connectionOptions(),
        established: (connection) => {
          this.#handlers.set(connection, handler);
          resolve(connection);
        },
        closed: (connection, reason) => {
          this.#connections.delete(connection);
          if (this.#handlers.delete(connection)) handler.closed(reason);
          else reject(new Error(reason === "" ? "the connection was closed" : reason));
        },
      });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#ping?.cancel();
    this.#listener?.close();
    for (const { timer } of this.#members.values()) timer?.cancel();
    this.#members.clear();
    for (const connection of [...this.#connections]) connection.close("");
  }

  #addMember(id: number, address: string): void {
    const member = this.#newMember(id, address);
    this.#planDial(member, id > this.#options.local().nodeId ? DIAL_PATIENCE_MS : 0);
  }

  #newMember(id: number, address: string): Member {
    const member: Member = {
      id,
      address,
      connection: undefined,
      dialing: false,
      retryMs: DIAL_RETRY_MS_MIN,
      timer: undefined,
      lastReason: "",
    };
    this.#members.set(id, member);
    return member;
  }

  #planDial(member: Member, delayMs: number): void {
    member.timer?.cancel();
    member.timer = this.#options.clock.after(delayMs, () => this.#dialMember(member));
  }

  #dialMember(member: Member): void {
    if (this.#stopped || this.#members.get(member.id) !== member) return;
    if (member.connection !== undefined || member.dialing) return;
    member.dialing = true;
    try {
      this.#dial(member.address, { nodeId: member.id, purpose: "messages" }, {
        ...this.#connectionOptions(),
        closed: (connection, reason) => {
          this.#closed(connection, reason);
          this.#dialFailed(member, reason);
        },
      });
    } catch (error) {
      // An address that is none: each member decides for itself what it says of its own.
      this.#dialFailed(member, error instanceof Error ? error.message : String(error));
    }
  }

  #dialFailed(member: Member, reason: string): void {
    member.dialing = false;
    if (reason !== "" && reason !== member.lastReason) {
      member.lastReason = reason;
      const { id, address } = member;
      this.#tell("no connection", { node: id, address, reason });
    }
    member.retryMs = Math.min(member.retryMs * 2, DIAL_RETRY_MS_MAX);
    this.#planDial(member, member.retryMs * (0.5 + randomFraction(this.#options.entropy) / 2));
  }

  #dial(
    address: string,
    to: { readonly nodeId: number; readonly purpose: Purpose },
    options: ConnectionOptions,
  ): void {
    const socket = this.#options.net.connect(splitAddress(address));
    const connection = PeerConnection.dial(socket, to, options);
    this.#connections.add(connection);
  }

  #accept(socket: PeerSocket): void {
    if (this.#stopped || this.#connections.size - this.#members.size > STRANGERS_MAX) {
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    const connection = PeerConnection.accept(socket, this.#connectionOptions());
    this.#connections.add(connection);
  }

  #connectionOptions(): ConnectionOptions {
    const { clock, entropy, local, secret, payloadBytesMax } = this.#options;
    return {
      clock,
      entropy,
      local,
      secret,
      payloadBytesMax,
      refuse: (remote, purpose) => this.#refuse(remote, purpose),
      established: (connection) => this.#established(connection),
      frame: (connection, frame) => this.#frame(connection, frame),
      closed: (connection, reason) => this.#closed(connection, reason),
    };
  }

  #refuse(remote: PeerIdentity, purpose: Purpose): string | undefined {
    const present = this.#members.get(remote.nodeId)?.connection;
    const isAnother = purpose === "messages" && present !== undefined &&
      present.pingsUnheard < 2 && present.remote.runs[0] !== remote.runs[0];
    if (isAnother) {
      return `node ${remote.nodeId} is connected already, as another process: ` +
        "one of the two runs on a copy of the other's data directory";
    }
    const reason = this.#options.refuse(remote, purpose);
    if (reason !== undefined || purpose !== "messages") return reason;
    const isLetIn = this.#members.has(remote.nodeId) || this.#options.mayBeNew(remote.nodeId);
    return isLetIn ? undefined : "it is no member of this cluster";
  }

  #established(connection: PeerConnection): void {
    if (connection.purpose !== "messages") {
      const handler = this.#options.accepted(connection);
      // It may have been closed at once: then nothing of it is told any more.
      if (connection.isEstablished) this.#handlers.set(connection, handler);
      return;
    }
    const { nodeId, address } = connection.remote;
    if (this.#stopped) return connection.close("");
    let member = this.#members.get(nodeId);
    if (member === undefined) {
      if (!this.#options.mayBeNew(nodeId)) {
        return connection.close("it is no member of this cluster");
      }
      // Until the members are set anew: then it is known here, or goes.
      member = this.#newMember(nodeId, address);
    }
    member.dialing = false;
    const existing = member.connection;
    if (existing !== undefined) {
      // Both dialed: the one that the higher id has opened stays, on both sides.
      const higherDials = nodeId < this.#options.local().nodeId;
      if (existing.dialed === higherDials && connection.dialed !== higherDials) {
        return connection.close("");
      }
      member.connection = undefined;
      existing.close("");
      // The process that had it is gone; otherwise it goes on, on another connection.
      if (existing.remote.runs[0] !== connection.remote.runs[0]) this.#options.disconnected(nodeId);
    }
    member.connection = connection;
    member.address = address;
    member.retryMs = DIAL_RETRY_MS_MIN;
    member.lastReason = "";
    member.timer?.cancel();
    this.#options.logger.info("connected", { node: nodeId, address });
    this.#options.connected(connection.remote);
  }

  #frame(connection: PeerConnection, frame: Frame): void {
    const handler = this.#handlers.get(connection);
    if (handler !== undefined) return handler.frame(frame);
    if (frame.type !== FRAME.ping) this.#options.message(connection.remote.nodeId, frame);
  }

  #closed(connection: PeerConnection, reason: string): void {
    this.#connections.delete(connection);
    const handler = this.#handlers.get(connection);
    if (handler !== undefined) {
      this.#handlers.delete(connection);
      return handler.closed(reason);
    }
    const { nodeId } = connection.remote;
    const member = this.#members.get(nodeId);
    if (member?.connection === connection) {
      member.connection = undefined;
      this.#options.logger.info("disconnected", { node: nodeId, reason });
      this.#options.disconnected(nodeId);
      this.#planDial(member, DIAL_RETRY_MS_MIN);
    } else if (!connection.dialed && reason !== "") {
      const { remoteAddress } = connection;
      this.#tell("peer refused", { from: remoteAddress, node: nodeId, reason });
    }
  }

  /** A warning, but for what is so for a moment whenever a cluster is founded. */
  #tell(message: string, fields: LogFields & { readonly reason: string }): void {
    const { logger } = this.#options;
    if (fields.reason.endsWith(IN_NO_CLUSTER)) logger.info(message, fields);
    else logger.warn(message, fields);
  }

  #planPing(): void {
    this.#ping = this.#options.clock.after(PING_INTERVAL_MS, () => {
      this.#planPing();
      this.#pingAll();
    });
  }

  #pingAll(): void {
    for (const { connection } of this.#members.values()) {
      if (connection === undefined) continue;
      if (connection.pingsUnheard >= PINGS_UNHEARD_MAX) connection.close("nothing is heard of it");
      else if (connection.send(FRAME.ping, EMPTY)) connection.pingsUnheard++;
    }
  }
}

const EMPTY = new Uint8Array(0);
