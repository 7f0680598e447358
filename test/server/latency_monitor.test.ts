import { expect, test } from "bun:test";
import { commands, resolve } from "../../src/commands/table.ts";
import { loadCatalog } from "../../src/commands/acl_catalog.ts";
import type { RunnableCommand } from "../../src/commands/command.ts";
import { latencyEventOf, LatencyMonitor } from "../../src/server/latency_monitor.ts";

test("LatencyMonitor keeps the worst of each second, the latest 160, and the worst of all", () => {
  const monitor = new LatencyMonitor();
  monitor.add("command", 900.9, 1000);
  monitor.add("command", 20, 2000);
  monitor.add("command", 50.7, 2400);
  monitor.add("command", 30, 2999);
  const first = [{ atSeconds: 1, durationMs: 900 }, { atSeconds: 2, durationMs: 50 }];
  expect([...monitor.events]).toEqual([["command", { samples: first, maxMs: 900 }]]);
  for (let second = 3; second <= 200; second++) monitor.add("command", second, second * 1000);
  const { samples, maxMs } = monitor.events.get("command")!;
  expect([samples.length, maxMs]).toEqual([160, 900]);
  expect(samples[0]).toEqual({ atSeconds: 41, durationMs: 41 });
  expect(samples.at(-1)).toEqual({ atSeconds: 200, durationMs: 200 });
});

test("LatencyMonitor forgets one event in any case, or all", () => {
  const monitor = new LatencyMonitor();
  for (const name of ["command", "fast-command", "expire-cycle"]) monitor.add(name, 5, 1000);
  expect(monitor.reset("none")).toBe(0);
  expect(monitor.reset("Fast-Command")).toBe(1);
  expect(monitor.reset("fast-command")).toBe(0);
  expect(monitor.reset()).toBe(2);
  expect(monitor.events.size).toBe(0);
});

test("latencyEventOf goes by the flag fast", async () => {
  await loadCatalog(commands);
  const eventOf = (line: string) => latencyEventOf(resolve(line.split(" ")) as RunnableCommand);
  for (const line of ["GET k", "SADD k a", "PING", "HGET k f"]) {
    expect(eventOf(line)).toBe("fast-command");
  }
  for (const line of ["DEBUG SLEEP 0", "KEYS *", "EXEC", "EVAL x 0", "CONFIG GET x", "SET k v"]) {
    expect(eventOf(line)).toBe("command");
  }
});
