import { afterAll, expect, test } from "bun:test";
import { cleanupAll, type Exit, sleep, startBalsa, until } from "./harness.ts";
import { encodeCommand, RespClient, RespError } from "./resp_client.ts";

afterAll(cleanupAll);

test("maxclients: one more is told so and closed; a place that is freed is taken", async () => {
  const server = await startBalsa({ http: false, args: ["--maxclients", "5"] });
  const clients = await Promise.all(Array.from({ length: 5 }, () => RespClient.open(server.port)));
  for (const client of clients) expect(await client.command("PING")).toBe("PONG");
  const sixth = await RespClient.open(server.port);
  await sixth.whenClosed();
  expect(sixth.unread).toBe("-ERR max number of clients reached\r\n");
  clients[0].close();
  await until(async () => {
    const next = await RespClient.open(server.port);
    const reply = await next.command("PING").catch(() => undefined);
    next.close();
    return reply === "PONG";
  }, "a freed place");
  expect(await clients[1].command("PING")).toBe("PONG");
  for (const client of clients) client.close();
  await server.stop();
});

test("timeout: an idle client is closed, a busy one is not", async () => {
  const server = await startBalsa({ http: false });
  const busy = await RespClient.open(server.port);
  expect(await busy.command("CONFIG", "SET", "timeout", "1")).toBe("OK");
  const idle = await RespClient.open(server.port);
  expect(await idle.command("PING")).toBe("PONG");
  const end = Date.now() + 20_000;
  while (!idle.closed && Date.now() < end) {
    expect(await busy.command("PING")).toBe("PONG");
    await sleep(50);
  }
  expect(idle.closed).toBe(true);
  expect(await busy.command("CONFIG", "GET", "timeout")).toEqual(["timeout", "1"]);
  busy.close();
  await server.stop();
}, 180_000);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} under load: exit code 0, every acknowledged write kept`, async () => {
    const server = await startBalsa({ http: false });
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => RespClient.open(server.port)),
    );
    const acknowledged: number[] = [];
    const sent: number[] = [];
    const loads = clients.map(async (client, id) => {
      acknowledged[id] = 0;
      sent[id] = 0;
      for (;;) {
        sent[id] += 16;
        void client.send(encodeCommand(["INCR", `counter:${id}`]).repeat(16));
        try {
          for (let i = 0; i < 16; i++) {
            const reply = await client.read();
            if (reply instanceof RespError) return;
            acknowledged[id]++;
          }
        } catch {
          return;
        }
      }
    });
    await until(() => acknowledged.every((count) => count > 50), "some writes");
    const exit: Exit = await server.stop(signal);
    expect(exit).toEqual({ code: 0, signal: null });
    await Promise.all(loads);
    const again = await startBalsa({ data: server.data, http: false });
    const reader = await RespClient.open(again.port);
    for (const id of clients.keys()) {
      const value = Number(await reader.command("GET", `counter:${id}`));
      expect(value).toBeGreaterThanOrEqual(acknowledged[id]);
      expect(value).toBeLessThanOrEqual(sent[id]);
    }
    reader.close();
    expect((await again.stop()).code).toBe(0);
  }, 180_000);
}

test("SHUTDOWN ends the process with exit code 0", async () => {
  const server = await startBalsa({ http: false });
  const client = await RespClient.open(server.port);
  await client.command("SET", "a", "1");
  void client.send(encodeCommand(["SHUTDOWN"]));
  expect(await server.exited).toEqual({ code: 0, signal: null });
  const again = await startBalsa({ data: server.data, http: false });
  const reader = await RespClient.open(again.port);
  expect(await reader.command("GET", "a")).toBe("1");
  await again.stop();
});

test("idle clients do not hold up a SIGTERM", async () => {
  const server = await startBalsa();
  const clients = await Promise.all(
    Array.from({ length: 50 }, () => RespClient.open(server.port)),
  );
  const half = await RespClient.open(server.port);
  await half.send("*2\r\n$4\r\nECHO\r\n");
  await fetch(`http://127.0.0.1:${server.httpPort}/health`);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  for (const client of clients) await client.whenClosed();
}, 180_000);
