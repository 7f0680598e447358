import { afterAll, expect, test } from "bun:test";
import { TestCluster } from "./cluster_harness.ts";
import { cleanupAll, startBalsa, until } from "./harness.ts";
import { RespClient, RespError } from "./resp_client.ts";

afterAll(cleanupAll);

test("WAIT alone: 0 at once, more at the time-out, for ever with 0, by CLIENT UNBLOCK", async () => {
  const server = await startBalsa({ http: false });
  const client = await RespClient.open(server.port);
  const other = await RespClient.open(server.port);
  expect(await client.command("SET", "key", "value")).toBe("OK");
  expect(await client.command("WAIT", "0", "0")).toBe(0);
  expect(await client.command("WAITAOF", "1", "0", "0")).toEqual([1, 0]);
  expect(await client.command("WAITAOF", "1", "1", "1")).toEqual([1, 0]);
  expect(await client.command("WAITAOF", "2", "0", "0")).toBeInstanceOf(RespError);
  const startMs = performance.now();
  expect(await client.command("WAIT", "1", "200")).toBe(0);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(199);
  const id = String(await client.command("CLIENT", "ID"));
  for (const kind of ["TIMEOUT", "ERROR"]) {
    const waiting = client.command("WAIT", "1", "0");
    await until(
      async () => String(await other.command("INFO", "clients")).includes("blocked_clients:1"),
      "it to be blocked",
    );
    expect(await other.command("CLIENT", "UNBLOCK", id, kind)).toBe(1);
    const reply = await waiting;
    if (kind === "TIMEOUT") expect(reply).toBe(0);
    else expect((reply as RespError).text).toStartWith("UNBLOCKED client unblocked");
  }
  expect(await other.command("CLIENT", "UNBLOCK", id)).toBe(0);
  expect(await client.command("MULTI")).toBe("OK");
  expect(await client.command("WAIT", "1", "0")).toBe("QUEUED");
  expect(await client.command("EXEC")).toEqual([0]);
  expect(await client.command("PING")).toBe("PONG");
  // A client that waits does not hold up a stop.
  client.command("WAIT", "1", "0").catch(() => {});
  await server.stop();
});

test("WAIT on each of three nodes counts the other two; not one that is stopped", async () => {
  const cluster = await TestCluster.start();
  const [stopped] = await cluster.followers();
  for (const node of cluster.nodes) {
    const client = await RespClient.open(node.port);
    expect(await client.command("SET", `key:${node.port}`, "value")).toBe("OK");
    expect(await client.command("WAIT", "2", "10000")).toBe(2);
    expect(await client.command("WAITAOF", "1", "2", "10000")).toEqual([1, 2]);
    client.close();
  }
  stopped.signal("SIGSTOP");
  for (const node of cluster.nodes.filter((each) => each !== stopped)) {
    const client = await RespClient.open(node.port);
    expect(await client.command("SET", "key", "value")).toBe("OK");
    const startMs = performance.now();
    expect(await client.command("WAIT", "2", "300")).toBe(1);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(299);
    const waiting = client.command("WAIT", "2", "0");
    stopped.signal("SIGCONT");
    expect(await waiting).toBe(2);
    stopped.signal("SIGSTOP");
    client.close();
  }
  stopped.signal("SIGCONT");
  await cluster.converged();
  await cluster.stop();
}, 180_000);
