import { afterEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runBalsa, startBalsa } from "./run_balsa.ts";
import { call, freeBase, killStarted, startDev, withDirectory } from "./run_dev.ts";

afterEach(killStarted);

async function fieldsOf(port: number): Promise<string> {
  return String(await call(port, "INFO", "raft"));
}

describe("balsa recover", () => {
  test("is asked for in full", async () => {
    const refused = { code: 2, stdout: "" };
    expect(await runBalsa(["recover", "--yes"])).toEqual({
      ...refused,
      stderr: "balsa: recover needs --force-new-cluster (balsa recover --help says when)\n",
    });
    expect((await runBalsa(["recover", "--help"])).stdout).toContain("balsa recover --force-new");
  });

  test("makes nothing where there is nothing", () =>
    withDirectory(async (directory) => {
      const flags = ["recover", "--force-new-cluster", "--yes", "--data"];
      const missing = await runBalsa([...flags, join(directory, "missing")]);
      expect(missing).toMatchObject({ code: 2, stdout: "" });
      expect(existsSync(join(directory, "missing"))).toBe(false);
      const empty = await runBalsa([...flags, directory]);
      expect(empty).toMatchObject({ code: 1, stdout: "" });
      expect(empty.stderr).toContain("is no data directory of a node");
    }));

  test(
    "goes on with the data of one node of three, and takes in new nodes",
    () =>
      withDirectory(async (directory) => {
        const { balsa, ports } = await startDev(directory);
        expect(await call(ports[0], "SET", "k", "v")).toMatchObject({ text: "OK" });
        expect(await call(ports[1], "INCR", "n")).toBe(1);
        expect(await call(ports[0], "GET", "n")).toBe("1");
        const before = /raft_cluster_id:(\w+)/.exec(await fieldsOf(ports[0]))![1];
        balsa.kill("SIGTERM");
        await balsa.ended;

        const data = join(directory, "a");
        const flags = ["recover", "--force-new-cluster", "--data", data];
        const { code, stdout, stderr } = await runBalsa(flags);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(stdout).toContain(`of cluster ${before}\n`);
        expect(stdout).toContain("Lost: every write that never reached this node");
        const after = /^done: new cluster ([0-9a-f]{32}), /m.exec(stdout)![1];

        const port = await freeBase();
        const serve = (name: string, own: number, ...more: string[]) => {
          const listen = ["--port", `${own}`, "--http-port", "0"];
          return startBalsa(["serve", "--data", join(directory, name), ...listen, ...more]);
        };
        const alone = serve("a", port);
        const old = serve("b", port + 2);
        const added = serve("new", port + 1, "--join", `127.0.0.1:${port + 10_000}`);
        try {
          await alone.output("ready to accept connections");
          await old.output("RESP on ");
          expect(await call(port, "GET", "k")).toBe("v");
          expect(await call(port, "INCR", "n")).toBe(2);
          expect(await fieldsOf(port)).toContain(`raft_cluster_id:${after}`);
          await added.output("ready to accept connections");
          expect(await call(port + 1, "GET", "n")).toBe("2");
          expect(await fieldsOf(port + 1)).toContain(`raft_cluster_id:${after}`);
          expect(await fieldsOf(port + 2)).toContain(`raft_cluster_id:${before}`);
        } finally {
          for (const node of [alone, old, added]) {
            node.kill("SIGKILL");
            await node.ended;
          }
        }
      }),
    60_000,
  );
});
