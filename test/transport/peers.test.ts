import { afterEach, expect, test } from "bun:test";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { randomHex, SYSTEM_ENTROPY } from "../../src/base/entropy.ts";
import type { Logger } from "../../src/base/log.ts";
import { SYSTEM } from "../../src/node/outside.ts";
import { encodeFrame, FRAME, type Frame, FrameReader } from "../../src/transport/frame.ts";
import {
  encodeJson,
  type Hello,
  makeProof,
  NONCE_BYTES,
  PEER_PROTOCOL,
  type PeerIdentity,
} from "../../src/transport/handshake.ts";
import { Peers } from "../../src/transport/peers.ts";
import { sleep, until } from "../system/harness.ts";

const CLUSTER = "0123456789abcdef0123456789abcdef";

/** One node's end of the network, with what it heard and logged. */
class TestNode {
  readonly peers: Peers;
  readonly id: number;
  readonly heard: { readonly from: number; readonly text: string }[] = [];
  readonly logged: string[] = [];
  clusterId = CLUSTER;
  incarnation = 1;
  connects = 0;
  readonly left: number[] = [];

  constructor(id: number, secret = "secret", port = 0) {
    this.id = id;
    const log = (message: string, fields?: object): void => {
      this.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
    };
    const logger: Logger = { debug: log, info: log, warn: log, error: log };
    this.peers = new Peers({
      ...SYSTEM,
      host: "127.0.0.1",
      port,
      secret,
      payloadBytesMax: 1024 * 1024,
      logger,
      local: () => this.identity,
      refuse: (remote) => remote.clusterId === this.clusterId ? undefined : "another cluster",
      mayBeNew: () => false,
      connected: () => this.connects++,
      disconnected: (nodeId) => this.left.push(nodeId),
      message: (from, { payload }) => this.heard.push({ from, text: payload.toString() }),
      accepted: () => ({ frame: () => {}, closed: () => {} }),
    });
    nodes.push(this);
  }

  get identity(): PeerIdentity {
    const { clusterId, incarnation, address } = this;
    return {
      clusterId,
      nodeId: this.id,
      incarnation,
      runs: [incarnation],
      term: 1,
      lastIndex: 0,
      address,
    };
  }

  get address(): string {
    return `127.0.0.1:${this.peers.port}`;
  }

  get log(): string {
    return this.logged.join("\n");
  }

  meet(...others: readonly TestNode[]): void {
    this.peers.setMembers(new Map(others.map(({ id, address }) => [id, address])));
  }
}

const nodes: TestNode[] = [];
const servers: NetServer[] = [];

afterEach(() => {
  for (const { peers } of nodes.splice(0)) peers.stop();
  for (const server of servers.splice(0)) server.close();
});

async function start(id: number, secret?: string, port?: number): Promise<TestNode> {
  const node = new TestNode(id, secret, port);
  await node.peers.listen();
  return node;
}

const areConnected = (a: TestNode, b: TestNode): boolean =>
  a.peers.isConnected(b.id) && b.peers.isConnected(a.id);

test("two nodes that dial each other end with one connection, and frames go both ways", async () => {
  const [one, two] = [await start(1), await start(2)];
  one.meet(two);
  two.meet(one);
  await until(() => areConnected(one, two), "a connection");
  await sleep(400);
  expect(areConnected(one, two)).toBe(true);
  expect(one.peers.send(2, FRAME.raft, Buffer.from("hello"))).toBe(true);
  expect(two.peers.send(1, FRAME.raft, Buffer.from("you too"))).toBe(true);
  await until(() => one.heard.length + two.heard.length === 2, "both frames");
  expect(two.heard).toEqual([{ from: 1, text: "hello" }]);
  expect(one.heard).toEqual([{ from: 2, text: "you too" }]);
  expect(one.peers.send(9, FRAME.raft, Buffer.from("nobody"))).toBe(false);
});

test("a peer that comes back at its port is connected to again", async () => {
  const [one, two] = [await start(1), await start(2)];
  const { port } = two.peers;
  one.meet(two);
  two.meet(one);
  await until(() => areConnected(one, two), "a connection");
  two.peers.stop();
  await until(() => !one.peers.isConnected(2), "its end to be noticed");
  const again = await start(2, "secret", port);
  again.incarnation = 2;
  again.meet(one);
  await until(() => areConnected(one, again), "the next connection");
});

test("the end of a connection to one that is a member no more is told of", async () => {
  const [one, two, three] = [await start(1), await start(2), await start(3)];
  one.meet(two, three);
  two.meet(one);
  three.meet(one);
  await until(() => areConnected(one, two) && areConnected(one, three), "connections");
  one.meet(three);
  expect(one.left).toEqual([2]);
  expect(one.peers.isConnected(2)).toBe(false);
  await sleep(200);
  expect(one.left).toEqual([2]);
  expect(areConnected(one, three)).toBe(true);
});

test("a wrong secret, another cluster and another node are refused, each with its reason", async () => {
  const [one, stranger, foreigner] = [await start(1), await start(2, "guess"), await start(2)];
  foreigner.clusterId = CLUSTER.replace("0", "f");
  stranger.meet(one);
  one.meet(stranger);
  await until(() => /peer refused.*does not know the cluster's secret/.test(one.log), "a refusal");
  foreigner.meet(one);
  await until(() => /peer refused.*another cluster/.test(one.log), "the second refusal");
  // Which cluster it is in matters more than which node.
  foreigner.peers.setMembers(new Map([[7, one.address]]));
  await until(() => /it refuses: another cluster/.test(foreigner.log), "the same again");
  const lost = await start(3);
  one.meet(stranger, lost);
  lost.peers.setMembers(new Map([[7, one.address]]));
  await until(() => /it looks for node 7, this is 1/.test(lost.log), "the third refusal");
  expect(one.connects).toBe(0);
});

test("a second process of a node that is connected is refused", async () => {
  const [one, two, twin] = [await start(1), await start(2), await start(2)];
  twin.incarnation = 2;
  one.meet(two);
  two.meet(one);
  await until(() => areConnected(one, two), "a connection");
  twin.meet(one);
  await until(() => /copy of the other's data directory/.test(twin.log), "a refusal");
  expect(one.log).toContain("copy of the other's data directory");
  expect(areConnected(one, two)).toBe(true);
});

test("who is no member is refused, and comes back ever more slowly", async () => {
  const [one, two, removed] = [await start(1), await start(2), await start(3)];
  one.meet(two);
  removed.meet(one);
  await until(() => /it refuses: it is no member of this cluster/.test(removed.log), "a refusal");
  await sleep(300);
  expect(removed.connects).toBe(0);
  expect(one.log.match(/no member/g)?.length).toBeLessThan(6);
  one.meet(two, removed);
  await until(() => areConnected(one, removed), "a connection once it is a member");
});

// --- by hand -------------------------------------------------------------------------------------

/** A dialer that sends what it likes. */
class RawPeer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  isClosed = false;

  constructor(port: number) {
    this.socket = connect({ host: "127.0.0.1", port });
    const reader = new FrameReader(4096);
    this.socket.on("data", (chunk: Buffer) => {
      reader.push(chunk);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        this.frames.push({ type: frame.type, payload: Buffer.from(frame.payload) });
      }
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => this.isClosed = true);
  }

  send(type: number, value: unknown): void {
    this.socket.write(encodeFrame(type, encodeJson(value)));
  }

  async answer(type: number): Promise<Frame> {
    const found = (): Frame | undefined => this.frames.find((frame) => frame.type === type);
    await until(() => found() !== undefined, `frame ${type}`);
    return found()!;
  }
}

function helloOf(toNodeId: number): Hello {
  return {
    protocol: PEER_PROTOCOL,
    purpose: "messages",
    clusterId: CLUSTER,
    nodeId: 2,
    incarnation: 1,
    runs: [1],
    term: 1,
    lastIndex: 0,
    toNodeId,
    address: "127.0.0.1:1",
    nonce: randomHex(SYSTEM_ENTROPY, NONCE_BYTES),
  };
}

test("a connection with one that is yet to be heard of as a member stays", async () => {
  const [one, two] = [await start(1), await start(2)];
  one.meet(two);
  two.meet(one);
  await until(() => areConnected(one, two), "a connection");
  one.peers.setMembers(new Map(), (id) => id === 2);
  await sleep(50);
  expect(areConnected(one, two)).toBe(true);
  one.peers.setMembers(new Map());
  await until(() => !two.peers.isConnected(1), "the end of it");
  expect(one.left).toEqual([2]);
});

/** Comes in as node 2. */
async function enter(to: TestNode, run: number): Promise<RawPeer> {
  const hello = { ...helloOf(to.id), incarnation: run, runs: [run] };
  const raw = new RawPeer(to.peers.port);
  raw.send(FRAME.hello, hello);
  const challenge = JSON.parse((await raw.answer(FRAME.challenge)).payload.toString());
  raw.send(FRAME.proof, { proof: makeProof("secret", "dialer", hello, challenge) });
  return raw;
}

test(
  "that a silent process is gone is told before the next one on its machine is there",
  async () => {
    const one = await start(1);
    one.peers.setMembers(new Map([[2, "127.0.0.1:1"]]));
    await enter(one, 1);
    await until(() => one.connects === 1, "a connection");
    // It answers nothing, and is taken to be there until two pings are unheard.
    await until(async () => {
      const next = await enter(one, 2);
      await sleep(100);
      return one.connects === 2 || (next.socket.destroy(), false);
    }, "the next process");
    expect(one.left).toEqual([2]);
  },
  20_000,
);

test("a proof that was overheard proves nothing on another connection", async () => {
  const one = await start(1);
  one.peers.setMembers(new Map([[2, "127.0.0.1:1"]]));
  const hello = helloOf(1);
  const first = new RawPeer(one.peers.port);
  first.send(FRAME.hello, hello);
  const challenge = JSON.parse((await first.answer(FRAME.challenge)).payload.toString());
  const proof = makeProof("secret", "dialer", hello, challenge);
  const replay = new RawPeer(one.peers.port);
  replay.send(FRAME.hello, hello);
  await replay.answer(FRAME.challenge);
  replay.send(FRAME.proof, { proof });
  await until(() => replay.isClosed, "the replay to be cut off");
  expect(one.connects).toBe(0);
  first.send(FRAME.proof, { proof });
  await first.answer(FRAME.welcome);
  expect(one.peers.isConnected(2)).toBe(true);
});

test("the proof covers what the dialer claims", async () => {
  const one = await start(1);
  one.peers.setMembers(new Map([[2, "127.0.0.1:1"], [3, "127.0.0.1:2"]]));
  const hello = helloOf(1);
  const peer = new RawPeer(one.peers.port);
  peer.send(FRAME.hello, hello);
  const challenge = JSON.parse((await peer.answer(FRAME.challenge)).payload.toString());
  const proof = makeProof("secret", "dialer", { ...hello, nodeId: 3 }, challenge);
  peer.send(FRAME.proof, { proof });
  await until(() => peer.isClosed, "the end");
  expect(one.log).toContain("does not know the cluster's secret");
});

test("bytes that are no handshake end the connection and nothing else", async () => {
  const [one, two] = [await start(1), await start(2)];
  one.meet(two);
  two.meet(one);
  await until(() => areConnected(one, two), "a connection");
  const garbage = [
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.alloc(10_000, 255),
    Buffer.alloc(64),
    encodeFrame(FRAME.hello, Buffer.from("{}")),
    encodeFrame(FRAME.hello, Buffer.from("not json")),
    encodeFrame(FRAME.hello, encodeJson({ ...helloOf(1), protocol: 99 })),
    encodeFrame(FRAME.proof, encodeJson({ proof: "0".repeat(64) })),
    encodeFrame(FRAME.raft, Buffer.from("a message before the handshake")),
    encodeFrame(FRAME.refusal, encodeJson({ reason: "none" })),
  ];
  for (const bytes of garbage) {
    const peer = new RawPeer(one.peers.port);
    peer.socket.write(bytes);
    await until(() => peer.isClosed, `an end after ${bytes.subarray(0, 40).toString()}`);
  }
  expect(areConnected(one, two)).toBe(true);
  expect(one.log.match(/peer refused/g)?.length).toBe(garbage.length);
});

test("an acceptor that does not know the secret gets no connection either", async () => {
  const impostor = createServer((socket) => {
    const reader = new FrameReader(4096);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        const { type } = frame;
        if (type === FRAME.hello) {
          socket.write(
            encodeFrame(
              FRAME.challenge,
              encodeJson({ nonce: randomHex(SYSTEM_ENTROPY, NONCE_BYTES) }),
            ),
          );
        } else if (type === FRAME.proof) {
          const { clusterId, nodeId, incarnation, runs, term, lastIndex, address } = helloOf(1);
          const own = { clusterId, nodeId, incarnation, runs, term, lastIndex, address };
          const welcome = { proof: JSON.parse(frame.payload.toString()).proof, ...own };
          socket.write(encodeFrame(FRAME.welcome, encodeJson(welcome)));
        }
      }
    });
  });
  servers.push(impostor);
  await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
  const address = impostor.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const one = await start(1);
  one.peers.setMembers(new Map([[2, `127.0.0.1:${port}`]]));
  await until(() => /no connection.*does not know the cluster's secret/.test(one.log), "a refusal");
  expect(one.connects).toBe(0);
});

test("a member whose address is none does no harm", async () => {
  const one = await start(1);
  const two = await start(2);
  one.peers.setMembers(new Map([[3, "host:99999"], [2, two.address]]));
  two.meet(one);
  await until(() => /no connection.*host:99999/.test(one.log), "a line in the log");
  await until(() => areConnected(one, two), "a connection to the other");
});
