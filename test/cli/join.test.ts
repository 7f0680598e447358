import { expect, test } from "bun:test";
import { call, freeBase, withDirectory } from "./run_dev.ts";
import { startBalsa } from "./run_balsa.ts";
import { join } from "node:path";

test(
  "RAFT.CLUSTER JOIN: a node that was never written to begins anew in another cluster",
  () =>
    withDirectory(async (directory) => {
      const base = await freeBase();
      const peer = (i: number) => `127.0.0.1:${base + i + 10_000}`;
      const nodes = [0, 1].map((i) =>
        startBalsa([
          "serve",
          ...["--data", join(directory, String(i)), "--http-port", "0"],
          ...["--port", `${base + i}`, "--peer-port", `${base + i + 10_000}`],
        ])
      );
      const errorOf = async (i: number, ...argv: string[]) =>
        (await call(base + i, ...argv) as { text: string }).text;
      const cluster = async (i: number) =>
        /raft_cluster_id:(\w+)/.exec(String(await call(base + i, "INFO", "raft")))![1];
      try {
        for (const node of nodes) await node.output("ready to accept connections");
        expect(await call(base, "SET", "k", "v")).toMatchObject({ text: "OK" });
        expect(await errorOf(1, "RAFT.CLUSTER", "JOIN", "nowhere")).toMatch(
          /^ERR invalid node addr/,
        );
        expect(await errorOf(1, "RAFT.CLUSTER", "JOIN", peer(1))).toMatch(
          /^ERR no member of a cluster/,
        );
        // It has something to lose.
        expect(await errorOf(0, "RAFT.CLUSTER", "JOIN", peer(1))).toMatch(
          /^ERR Already cluster member/,
        );
        expect(await call(base + 1, "RAFT.CLUSTER", "JOIN", peer(0))).toMatchObject({ text: "OK" });
        for (;;) {
          // Its listener is away for a moment, and then it has no cluster yet.
          const found = await call(base + 1, "GET", "k").catch(() => undefined);
          if (found === "v") break;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        expect(await cluster(1)).toBe(await cluster(0));
        expect(await errorOf(1, "RAFT.CLUSTER", "JOIN", peer(0))).toMatch(
          /^ERR Already cluster member/,
        );
      } finally {
        for (const node of nodes) node.kill("SIGKILL");
      }
    }),
  60_000,
);

test(
  "a node that finds no cluster, or goes on in one of its own, says so",
  () =>
    withDirectory(async (directory) => {
      const base = await freeBase();
      const peer = (i: number) => `127.0.0.1:${base + i + 10_000}`;
      const start = (i: number, secret: string, ...more: string[]) =>
        startBalsa([
          "serve",
          ...["--data", join(directory, String(i)), "--http-port", "0"],
          ...["--port", `${base + i}`, "--peer-port", `${base + i + 10_000}`],
          ...["--cluster-secret", secret, ...more],
        ]);
      const nodes = [start(0, "one")];
      try {
        await nodes[0].output("ready to accept connections");
        const stranger = start(1, "two", "--join", `${peer(0)},${peer(2)}`);
        nodes.push(stranger);
        const told = await stranger.log("still looking for the cluster");
        expect(told).toMatch(new RegExp(`${peer(0)}: it refuses: [^;]*secret`));
        expect(told).toMatch(new RegExp(`${peer(2)}: .*ECONNREFUSED`));
        nodes[0].kill("SIGKILL");
        await nodes[0].ended;
        nodes[0] = start(0, "one", "--join", peer(1));
        await nodes[0].log("alone in the cluster of its data directory, --join is not followed");
      } finally {
        for (const node of nodes) node.kill("SIGKILL");
      }
    }),
  60_000,
);
