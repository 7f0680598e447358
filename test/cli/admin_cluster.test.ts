import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { MemberReport, StatusReport } from "../../cli/status_report.ts";
import { runBalsa, startBalsa } from "./run_balsa.ts";
import { freeBase, killStarted, startDev, withDirectory } from "./run_dev.ts";

afterEach(killStarted);

async function statusOf(port: number): Promise<StatusReport> {
  const { stdout } = await runBalsa(["status", "--json", "-p", `${port}`]);
  return JSON.parse(stdout);
}

async function leaderOf(port: number): Promise<MemberReport> {
  for (;;) {
    const leader = (await statusOf(port)).members.find(({ isLeader }) => isLeader);
    if (leader !== undefined) return leader;
  }
}

test(
  "leadership is transferred, and each node tells of it with what all have applied",
  () =>
    withDirectory(async (directory) => {
      const { ports } = await startDev(directory);
      const before = await leaderOf(ports[0]);
      const { members } = await statusOf(ports[0]);
      const target = members.find(({ id }) => id !== before.id)!;
      for (;;) {
        const { code } = await runBalsa(["transfer", target.address, "-p", `${ports[1]}`]);
        if (code === 0 && (await leaderOf(ports[2])).id === target.id) break;
      }
      for (const port of ports) {
        const report = await statusOf(port);
        expect(report.members.map(({ role }) => role)).toEqual(["voter", "voter", "voter"]);
        expect(report.members.map(({ digest }) => typeof digest)).toEqual(Array(3).fill("string"));
        expect(report.warnings).toEqual([]);
      }
      const { code, stdout } = await runBalsa(["remove", `${before.id}`, "-p", `${ports[2]}`]);
      expect(code).toBe(0);
      expect(stdout).toContain("warning: two voters: losing either one stops writes\n");
    }),
  60_000,
);

test(
  "a node that was admitted with balsa add joins, with an id of its own, and becomes a voter",
  () =>
    withDirectory(async (directory) => {
      const port = await freeBase();
      const serve = (name: string, own: number, ...more: string[]) => {
        const listen = ["--port", `${own}`, "--http-port", "0"];
        return startBalsa(["serve", "--data", join(directory, name), ...listen, ...more]);
      };
      const first = serve("first", port);
      await first.output("ready to accept connections");
      const address = `127.0.0.1:${port + 10_001}`;
      const added = await runBalsa(["add", address, "--json", "-p", `${port}`]);
      const { id } = JSON.parse(added.stdout);
      expect(id).toBeGreaterThan(1);
      const second = serve("second", port + 1, "--join", `127.0.0.1:${port + 10_000}`);
      try {
        await second.output("ready to accept connections");
        for (;;) {
          const { members, warnings } = await statusOf(port + 1);
          // The id given by `add` goes once the node is there: no id is ever given twice.
          if (members.length !== 2 || members[1].role === "learner") continue;
          expect(members.map((member) => member.address)).toEqual([
            `127.0.0.1:${port + 10_000}`,
            address,
          ]);
          expect(members[1].id).toBeGreaterThan(id);
          expect(warnings).toEqual(["two voters: losing either one stops writes"]);
          break;
        }
      } finally {
        for (const node of [second, first]) {
          node.kill("SIGKILL");
          await node.ended;
        }
      }
    }),
  60_000,
);
