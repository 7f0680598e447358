import { Buffer } from "node:buffer";
import { expect, test } from "bun:test";
import { SYSTEM } from "../../src/node/outside.ts";
import { encodeFrame, FRAME } from "../../src/transport/frame.ts";
import type { PeerSocket } from "../../src/transport/net.ts";
import { PeerConnection } from "../../src/transport/peer_connection.ts";

test("a peer is heard as soon as something of a frame has come, however long the rest takes", () => {
  let receive: (chunk: Buffer) => void = () => {};
  const socket: Partial<PeerSocket> = {
    remoteAddress: "127.0.0.1",
    remotePort: 1,
    setNoDelay() {},
    on(event: string, listener: unknown) {
      if (event === "data") receive = listener as (chunk: Buffer) => void;
    },
    write() {},
    destroy() {},
  };
  const connection = PeerConnection.accept(socket as PeerSocket, {
    ...SYSTEM,
    local: () => {
      throw new Error("nobody asks");
    },
    secret: "secret",
    payloadBytesMax: 1024,
    refuse: () => undefined,
    established() {},
    frame() {},
    closed() {},
  });
  const frame = Buffer.from(encodeFrame(FRAME.hello, new Uint8Array(1000)));
  for (const part of [frame.subarray(0, 3), frame.subarray(3, 500)]) {
    connection.pingsUnheard = 2;
    receive(part);
    expect(connection.pingsUnheard).toBe(0);
  }
  connection.close("");
});
