import { expect, test } from "bun:test";
import { answerRequests } from "../../src/node/peer_requests.ts";
import { FRAME } from "../../src/transport/frame.ts";
import type { PeerConnection } from "../../src/transport/peer_connection.ts";

test("a request that cannot be answered is answered with the reason", async () => {
  const sent: string[] = [];
  const connection: Partial<PeerConnection> = {
    send: (_type, payload) => sent.push(new TextDecoder().decode(payload)) > 0,
  };
  const handler = answerRequests(
    connection as PeerConnection,
    () => Promise.reject(new Error("disk full")),
  );
  handler.frame({ type: FRAME.request, payload: Buffer.from("{}") });
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(sent).toEqual(['{"ok":false,"error":"disk full"}']);
});
