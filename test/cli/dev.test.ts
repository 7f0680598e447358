import { afterEach, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { call, end, freeBase, isAlive, pidsOf, startDev, withDirectory } from "./run_dev.ts";
import { killStarted } from "./run_dev.ts";
import { startBalsa } from "./run_balsa.ts";

afterEach(killStarted);

describe("balsa dev", () => {
  test(
    "runs a cluster, tells who leads, stops it, and resumes it",
    () =>
      withDirectory(async (directory) => {
        const first = await startDev(directory);
        expect(first.output).toMatch(/^[abc] leads \(127\.0\.0\.1:\d+, node \d, term \d+\)$/m);
        for (const port of first.ports) expect(first.output).toContain(`RESP 127.0.0.1:${port}`);
        expect(await call(first.ports[0], "SET", "k", "v")).toMatchObject({ text: "OK" });
        expect(await call(first.ports[1], "GET", "k")).toBe("v");
        expect(await call(first.ports[2], "APPEND", "k", "w")).toBe(2);
        const pids = await pidsOf(first.ports);
        first.balsa.kill("SIGINT");
        const { code, stdout } = await first.balsa.ended;
        expect(code).toBe(0);
        expect(stdout).toEndWith("stopping 3 nodes\nstopped\n");
        expect(pids.filter(isAlive)).toEqual([]);

        const second = await startDev(directory);
        expect(await call(second.ports[2], "GET", "k")).toBe("vw");
        second.balsa.kill("SIGTERM");
        expect((await second.balsa.ended).code).toBe(0);
      }),
    180_000,
  );

  test(
    "says that a node died and who leads then, and serves on",
    () =>
      withDirectory(async (directory) => {
        const { balsa, output, ports } = await startDev(directory);
        const [, name, term] = /^([abc]) leads .* term (\d+)\)$/m.exec(output)!;
        const pids = await pidsOf(ports);
        const leader = "abc".indexOf(name);
        process.kill(pids[leader], "SIGKILL");
        const died = `${name} died (127.0.0.1:${ports[leader]}, SIGKILL)`;
        const before = (await balsa.output(died)).split(died)[0];
        const next = await balsa.output(" leads (", before.split(" leads (").length);
        const later = /^([abc]) leads .* term (\d+)\)$/m.exec(next.split(died)[1])!;
        expect(later[1]).not.toBe(name);
        expect(Number(later[2])).toBeGreaterThan(Number(term));
        const other = ports[(leader + 1) % 3];
        expect(await call(other, "INCR", "n")).toBe(1);
        const config = join(directory, `${name}.json`);
        expect(next).toContain(`start it again: balsa serve --config ${config}\n`);
        const again = startBalsa(["serve", "--config", config]);
        await again.output("ready to accept connections");
        expect(await call(ports[leader], "GET", "n")).toBe("1");
        again.kill("SIGTERM");
        expect((await again.ended).code).toBe(0);
        balsa.kill("SIGTERM");
        const { code, stdout } = await balsa.ended;
        expect(code).toBe(0);
        expect(stdout).toContain("stopping 2 nodes");
      }),
    180_000,
  );

  test("its nodes stop when it is killed", () =>
    withDirectory(async (directory) => {
      const { balsa, ports } = await startDev(directory);
      const pids = await pidsOf(ports);
      balsa.kill("SIGKILL");
      await end(pids);
    }), 180_000);

  test("on Deno", () =>
    withDirectory(async (directory) => {
      const { balsa, ports } = await startDev(directory, "deno");
      expect(await call(ports[1], "SET", "k", "v")).toMatchObject({ text: "OK" });
      expect(await call(ports[0], "GET", "k")).toBe("v");
      const pids = await pidsOf(ports);
      balsa.kill("SIGTERM");
      expect((await balsa.ended).code).toBe(0);
      expect(pids.filter(isAlive)).toEqual([]);
    }), 180_000);

  test(
    "a node that cannot start ends the start of a new cluster",
    () =>
      withDirectory(async (directory) => {
        const port = await freeBase();
        const other = createServer();
        await new Promise<void>((resolve) => other.listen(port + 1, "127.0.0.1", resolve));
        const flags = ["--port", `${port}`, "--http-port", "0", "--data", directory];
        const { code, stderr } = await startBalsa(["dev", ...flags]).ended;
        other.close();
        expect(code).toBe(1);
        expect(stderr).toContain(`balsa: b (127.0.0.1:${port + 1}) did not start: exit code 1`);
        expect(stderr).toMatch(/^b \| .* error .*127.0.0.1:\d+/m);
      }),
    180_000,
  );
});
