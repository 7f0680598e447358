import { Buffer } from "node:buffer";
import type { Prng } from "../../src/base/prng.ts";
import type { HostPort } from "../../src/transport/address.ts";
import { FRAME } from "../../src/transport/frame.ts";
import type { Net, PeerListener, PeerSocket } from "../../src/transport/net.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Process } from "./process.ts";
import { WAITING_WORDS } from "./workload_free.ts";

/** How a network treats what is sent; shares are probabilities. */
export interface NetRules {
  latencyMsMax: number;
  /** A frame that takes much longer, and all behind it. */
  spikeShare: number;
  spikeMsMax: number;
  loseShare: number;
  duplicateShare: number;
  reorderShare: number;
  /** A connection that breaks at a frame. */
  breakShare: number;
}

/** Each is complete in itself, so it may be lost, doubled or overtaken as on a worse network. */
const FREE_FRAMES: ReadonlySet<number> = new Set([
  FRAME.raft,
  FRAME.forward,
  FRAME.readRequest,
  FRAME.readPoint,
  FRAME.digest,
  FRAME.ping,
]);
/** Messages that come seldom fare worse: install_snapshot, its answer, timeout_now. */
const RARE_TYPE_MIN = 6;
const RARE_FAULTS = 6;
/** Of doubles, how many come terms later. */
const LATE_SHARE = 0.1;
const LATE_MS_MAX = 3000;
/** What a process that ended has sent may come behind what the next one sends. */
const ECHO_SHARE = 0.5;
const ECHO_MS_MAX = 300;
/** Of the chunks of a snapshot, whose hash must tell. */
const DAMAGE_SHARE = 0.1;
const CONNECT_TIMEOUT_MS = 1000;
const FRAME_TYPE_AT = 4;
/** Of reads that end amid a frame, or just behind its header, and how long the rest may take. */
const CUT_SHARE = 0.05;
const CUT_EARLY = 8;
const UNREAD_MS_MAX = 2;
const NOTHING = Buffer.alloc(0);

/** How the network of one seed treats what is sent. */
export function drawNetRules(random: Prng): NetRules {
  const isRough = random.next() < 0.5;
  return {
    latencyMsMax: 0.5 + random.next() ** 2 * 20,
    spikeShare: isRough ? random.next() * 0.02 : 0,
    spikeMsMax: 300,
    loseShare: isRough ? random.next() * 0.05 : 0,
    duplicateShare: isRough ? random.next() * 0.05 : 0,
    reorderShare: isRough ? random.next() * 0.2 : 0,
    breakShare: random.next() < 0.3 ? random.next() * 0.002 : 0,
  };
}

/** The twin of transport/net.ts: the wires between all machines. */
export class SimNetwork {
  readonly rules: NetRules;
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly #listeners = new Map<string, Listener>();
  readonly #cuts = new Set<string>();
  readonly #slow = new Map<string, number>();
  /** By direction: the first commands that the latest process has sent. */
  readonly #firstForwards = new Map<string, { readonly by: Process; readonly bytes: Uint8Array }>();
  /** Ends with bytes or news that wait until a cut has healed. */
  #waiting: (() => void)[] = [];
  frames = 0;

  constructor(scheduler: Scheduler, random: Prng, rules: NetRules) {
    this.scheduler = scheduler;
    this.random = random;
    this.rules = rules;
  }

  /** The network as one process sees it. */
  of(process: Process): Net {
    return {
      connect: (to) => this.#connect(process, to),
      listen: (at, accept) => Promise.resolve(this.#listen(process, at, accept)),
    };
  }

  /** Nothing of `from` reaches `to` from now on. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Adds to the latency of one direction. */
  slow(from: string, to: string, addedMs: number): void {
    this.#slow.set(`${from}>${to}`, addedMs);
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`);
  }

  get hasCuts(): boolean {
    return this.#cuts.size > 0;
  }

  heal(): void {
    this.#cuts.clear();
    this.#slow.clear();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** Whether a process listens on a machine. */
  isUp(host: string): boolean {
    for (const [address, { process }] of this.#listeners) {
      if (address.startsWith(`${host}:`)) return process.isAlive;
    }
    return false;
  }

  whenHealed(go: () => void): void {
    this.#waiting.push(go);
  }

  /** With the first commands that a process sends to a machine: those of the process before it. */
  echoOf(by: Process, to: string, bytes: Uint8Array): Uint8Array | undefined {
    const direction = `${by.host}>${to}`;
    const before = this.#firstForwards.get(direction);
    if (before?.by === by) return undefined;
    this.#firstForwards.set(direction, { by, bytes: bytes.slice() });
    if (before === undefined || this.random.next() >= ECHO_SHARE) return undefined;
    // A command that waits would wait for ever for one that is gone: TCP spares it that.
    const sent = Buffer.from(before.bytes);
    return WAITING_WORDS.some((word) => sent.includes(word)) ? undefined : before.bytes;
  }

  latencyMs(from: string, to: string): number {
    const { latencyMsMax, spikeShare, spikeMsMax } = this.rules;
    const spike = this.random.next() < spikeShare ? this.random.next() * spikeMsMax : 0;
    const slow = this.#slow.size === 0 ? 0 : this.#slow.get(`${from}>${to}`) ?? 0;
    return 0.1 + this.random.next() * latencyMsMax + spike + slow;
  }

  #listen(process: Process, at: HostPort, accept: (socket: PeerSocket) => void): PeerListener {
    const address = `${at.host}:${at.port}`;
    const listener = { process, accept };
    this.#listeners.set(address, listener);
    return {
      port: at.port,
      close: () => {
        if (this.#listeners.get(address) === listener) this.#listeners.delete(address);
      },
    };
  }

  #connect(process: Process, to: HostPort): PeerSocket {
    const dialer = new SimSocket(this, process, to.host);
    const from = process.host;
    const sendMs = process.sendMs;
    const fail = (reason: string) => process.enter(() => dialer.fail(reason));
    if (this.isCut(from, to.host) || this.isCut(to.host, from)) {
      this.scheduler.at(sendMs + CONNECT_TIMEOUT_MS, () => fail("ETIMEDOUT"));
      return dialer;
    }
    const arrivalMs = sendMs + this.latencyMs(from, to.host);
    dialer.arrivalMs = arrivalMs;
    this.scheduler.at(arrivalMs, () => {
      const listener = this.#listeners.get(`${to.host}:${to.port}`);
      if (listener === undefined || !listener.process.isAlive) {
        this.scheduler.after(this.latencyMs(to.host, from), () => fail("ECONNREFUSED"));
        return;
      }
      const acceptor = new SimSocket(this, listener.process, from);
      acceptor.other = dialer;
      dialer.other = acceptor;
      listener.process.enter(() => listener.accept(acceptor));
      dialer.connected();
    });
    return dialer;
  }
}

interface Listener {
  readonly process: Process;
  readonly accept: (socket: PeerSocket) => void;
}

function isRare(frame: Uint8Array): boolean {
  return frame[FRAME_TYPE_AT] === FRAME.raft && frame[FRAME_TYPE_AT + 1] >= RARE_TYPE_MIN;
}

/** A frame with another byte somewhere in its later half. */
function damaged(frame: Uint8Array, random: Prng): Uint8Array {
  const bytes = frame.slice();
  const half = bytes.length >> 1;
  bytes[half + random.below(bytes.length - half)] ^= 1 << random.below(8);
  return bytes;
}

/** One end of a connection. */
export class SimSocket implements PeerSocket {
  readonly remoteAddress: string;
  readonly remotePort = 1;
  readonly writableNeedDrain = false;
  writableLength = 0;
  other: SimSocket | undefined;
  /** When what was sent last arrives: nothing but free frames overtakes it. */
  arrivalMs = 0;
  /** The same of what must not be overtaken. */
  #strictMs = 0;
  readonly #net: SimNetwork;
  readonly #process: Process;
  #early: Uint8Array[] = [];
  #held: Uint8Array[] | undefined;
  /** It has come, and was not read yet. */
  #unread: Buffer = NOTHING;
  #isOver = false;
  #data: ((chunk: Buffer) => void) | undefined;
  #error: ((error: Error) => void) | undefined;
  #close: (() => void) | undefined;

  constructor(net: SimNetwork, process: Process, remote: string) {
    this.#net = net;
    this.#process = process;
    this.remoteAddress = remote;
    process.sockets.add(this);
  }

  setNoDelay(): void {}

  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: () => void): unknown;
  on(event: string, listener: unknown): void {
    if (event === "data") this.#data = listener as (chunk: Buffer) => void;
    else if (event === "error") this.#error = listener as (error: Error) => void;
    else if (event === "close") this.#close = listener as () => void;
  }

  once(_event: "drain", listener: () => void): void {
    listener();
  }

  /** The way to the other end is there: what was written early goes. */
  connected(): void {
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.#send(bytes);
  }

  write(bytes: Uint8Array): void {
    if (this.#isOver || !this.#process.isAlive) return;
    this.writableLength += bytes.length;
    if (this.other === undefined) this.#early.push(bytes);
    else this.#send(bytes);
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#process.sockets.delete(this);
    this.#tellEnd();
  }

  fail(reason: string): void {
    this.#readRest();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#process.sockets.delete(this);
    this.#error?.(new Error(reason));
    this.#close?.();
  }

  /** Both ends are told that the connection is no more, though all are there. */
  reset(): void {
    this.#breakLater();
  }

  /** The process is dead; `isSilent`: its machine too, which tells nobody. */
  died(isSilent: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!isSilent) this.#tellEnd();
  }

  #tellEnd(): void {
    const { other } = this;
    if (other === undefined) return;
    const from = this.#process.host;
    const tell = () => {
      const arrivalMs = Math.max(this.arrivalMs, this.#process.sendMs + this.#latencyMs());
      this.#net.scheduler.at(arrivalMs, () => other.#process.enter(() => other.fail("closed")));
    };
    if (this.#net.isCut(from, this.remoteAddress)) this.#net.whenHealed(tell);
    else tell();
  }

  #latencyMs(): number {
    return this.#net.latencyMs(this.#process.host, this.remoteAddress);
  }

  #send(bytes: Uint8Array): void {
    const net = this.#net;
    const { random, rules } = net;
    net.frames++;
    if (net.isCut(this.#process.host, this.remoteAddress)) return this.#hold(bytes);
    if (this.#held !== undefined) {
      this.#held.push(bytes);
      return;
    }
    if (random.next() < rules.breakShare) return this.#breakLater();
    const arrivalMs = this.#process.sendMs + this.#latencyMs();
    if (FREE_FRAMES.has(bytes[FRAME_TYPE_AT])) {
      const rareness = isRare(bytes) ? RARE_FAULTS : 1;
      if (random.next() < rules.loseShare * rareness) {
        this.writableLength -= bytes.length;
        return;
      }
      const freeMs = Math.max(this.#strictMs, arrivalMs);
      if (bytes[FRAME_TYPE_AT] === FRAME.forward) {
        const echo = net.echoOf(this.#process, this.remoteAddress, bytes);
        if (echo !== undefined) this.#deliver(echo, freeMs + random.next() * ECHO_MS_MAX, false);
      }
      if (random.next() < rules.duplicateShare * rareness) {
        const isLate = random.next() < LATE_SHARE * rareness;
        const lateMs = random.next() * (isLate ? LATE_MS_MAX : 50);
        this.#deliver(bytes.slice(), freeMs + lateMs, false);
      }
      if (random.next() < rules.reorderShare) {
        return this.#deliver(bytes, freeMs + random.next() * 20, true);
      }
    } else {
      this.#strictMs = Math.max(this.arrivalMs, arrivalMs);
      const isChunk = bytes[FRAME_TYPE_AT] === FRAME.snapshotChunk;
      if (isChunk && random.next() < DAMAGE_SHARE) bytes = damaged(bytes, random);
    }
    this.arrivalMs = Math.max(this.arrivalMs, arrivalMs);
    this.#deliver(bytes, this.arrivalMs, true);
  }

  #breakLater(): void {
    this.#net.scheduler.after(0.1, () => {
      this.#process.enter(() => this.fail("ECONNRESET"));
      const { other } = this;
      if (other !== undefined) other.#process.enter(() => other.fail("ECONNRESET"));
    });
  }

  /** What is sent into a cut arrives when it has healed, as TCP sends it again. */
  #hold(bytes: Uint8Array): void {
    if (this.#held !== undefined) {
      this.#held.push(bytes);
      return;
    }
    this.#held = [bytes];
    this.#net.whenHealed(() => {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const each of held) if (!this.#isOver) this.#send(each);
    });
  }

  #deliver(bytes: Uint8Array, arrivalMs: number, isCounted: boolean): void {
    this.#net.scheduler.at(arrivalMs, () => {
      if (isCounted) this.writableLength -= bytes.length;
      const { other } = this;
      if (other === undefined) return;
      if (other.#isOver) return this.#reset(other);
      // A cut that has come meanwhile swallows what is on its way.
      if (this.#net.isCut(this.#process.host, this.remoteAddress)) {
        return FREE_FRAMES.has(bytes[FRAME_TYPE_AT]) ? undefined : this.#breakLater();
      }
      other.#process.enter(() => other.#receive(bytes));
    });
  }

  /** A machine that has started again knows nothing of the connections that it had before. */
  #reset(other: SimSocket): void {
    if (this.#isOver || other.#process.isAlive || !this.#net.isUp(this.remoteAddress)) return;
    this.#breakLater();
  }

  /** What there is at a read is cut where it may be, and frames come together. */
  #receive(bytes: Uint8Array): void {
    if (this.#isOver || this.#data === undefined) return;
    this.#process.mix(bytes.length);
    const chunk = Buffer.concat([this.#unread, bytes]);
    this.#unread = NOTHING;
    const { random, scheduler } = this.#net;
    if (random.next() >= CUT_SHARE) return this.#read(chunk);
    const cut = random.below(Math.min(chunk.length, random.next() < 0.5 ? CUT_EARLY : Infinity));
    this.#read(chunk.subarray(0, cut));
    if (random.next() < 0.5) return this.#read(chunk.subarray(cut));
    this.#unread = chunk.subarray(cut);
    scheduler.after(random.next() * UNREAD_MS_MAX, () => {
      this.#process.enter(() => this.#readRest());
    });
  }

  #readRest(): void {
    const rest = this.#unread;
    this.#unread = NOTHING;
    this.#read(rest);
  }

  /** The buffer is that of the next read too. */
  #read(chunk: Buffer): void {
    if (this.#isOver || chunk.length === 0) return;
    this.#data?.(chunk);
    chunk.fill(0xff);
  }
}
