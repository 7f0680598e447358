import { expect, test } from "bun:test";
import type { ClusterStatus } from "../../src/commands/cluster_view.ts";
import { BatchSession } from "../../src/listeners/batch_session.ts";
import type { ExecuteOptions } from "../../src/listeners/http_types.ts";
import { OK } from "../../src/resp/reply.ts";
import type { Server } from "../../src/server/server.ts";
import { FakeCluster } from "../commands/fake_views.ts";
import { fakeExecutor, serveFake, TOKEN } from "./http_fake_app.ts";
import { sendRaw } from "./http_raw_client.ts";

const LEVELS: [string | undefined, string | undefined][] = [
  [undefined, "linearizable"],
  ["linearizable", "linearizable"],
  ["lease", "lease"],
  ["Stale", "stale"],
  ["eventual", undefined],
  ["", undefined],
  ["stale, lease", undefined],
];

test("Balsa-Consistency chooses the read level of a request in each of its forms", async () => {
  const levels: (string | undefined)[] = [];
  const note = (options: ExecuteOptions | undefined) => levels.push(options?.consistency);
  const server = await serveFake({
    ...fakeExecutor({ reason: "" }),
    execute(commands, options) {
      note(options);
      const position = { index: 1, position: 1 };
      return Promise.resolve({ replies: commands.map(() => OK), position });
    },
  });
  try {
    for (const [header, level] of LEVELS) {
      const headers: Record<string, string> = header === undefined
        ? {}
        : { "Balsa-Consistency": header };
      const requests = [
        { target: "/get/a", headers },
        { method: "POST", target: "/set/a", body: "x", headers },
        { method: "POST", target: "/", body: '["GET","a"]', headers },
        { method: "POST", target: "/pipeline", body: '[["GET","a"]]', headers },
      ];
      for (const request of requests) {
        levels.length = 0;
        const answer = await sendRaw(server.port, request);
        expect(answer.status).toBe(level === undefined ? 400 : 200);
        expect(levels).toEqual(level === undefined ? [] : [level]);
        if (level === undefined) expect(answer.body.toString()).toInclude("Balsa-Consistency");
      }
    }
  } finally {
    await server.stop();
  }
});

test("GET /cluster tells what the node knows, to those who have the token", async () => {
  const { current } = new FakeCluster();
  let status: ClusterStatus | undefined = current;
  const executor = { ...fakeExecutor({ reason: "" }), cluster: () => status };
  const server = await serveFake(executor, { tokens: [TOKEN] });
  try {
    expect((await sendRaw(server.port, { target: "/cluster" })).status).toBe(401);
    const headers = { Authorization: `Bearer ${TOKEN}` };
    const get = () => sendRaw(server.port, { target: "/cluster", headers });
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(answer.body.toString())).toEqual(current);
    status = undefined;
    expect((await get()).status).toBe(503);
    const command = await sendRaw(server.port, { target: "/cluster/info", headers });
    expect(JSON.parse(command.body.toString())).toEqual({ result: ["cluster", "info"] });
  } finally {
    await server.stop();
  }
});

test("BatchSession reads at the level it is given", () => {
  const options = {
    id: 0,
    nowMs: 0,
    remoteAddress: "",
    localAddress: "",
    passwordRequired: () => false,
  };
  const server = {} as Server;
  expect(new BatchSession(server, [], options).consistency).toBe("linearizable");
  expect(new BatchSession(server, [], { ...options, consistency: "stale" }).consistency)
    .toBe("stale");
});
