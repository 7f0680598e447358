import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runBalsa, startNode } from "./run_balsa.ts";

describe("commands that manage a cluster", () => {
  let node: Awaited<ReturnType<typeof startNode>>;
  const run = (...args: string[]) => runBalsa([...args, "-p", `${node.respPort}`, "-a", "p"]);
  beforeAll(async () => node = await startNode([], { BALSA_PASSWORD: "p" }));
  afterAll(() => node.dispose());

  test("balsa status", async () => {
    const { code, stdout, stderr } = await run("status");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^cluster [0-9a-f]{32}: node 1 leads, term \d+\nasked node 1 \(leader\)/,
    );
    expect(stdout).toMatch(/^ {3}1 +127\.0\.0\.1:\d+ +leader +asked /m);
  });

  test("balsa status --json", async () => {
    const { code, stdout } = await run("status", "--json", `127.0.0.1:${node.respPort}`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      nodeId: 1,
      leader: 1,
      members: [{ id: 1, role: "voter", isLeader: true, digest: expect.any(String) }],
      warnings: [],
    });
  });

  test("errors of the cluster are told, code 1", async () => {
    const { code, stdout, stderr } = await run("remove", "1");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^ERR .+\n$/);
    const json = await run("remove", "--json", "1");
    expect(json).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(json.stdout)).toEqual({ ok: false, error: stderr.trimEnd() });
  });

  test("the server says why it does not change the members", async () => {
    const refused: [string[], string][] = [
      [["RAFT.NODE", "PROMOTE", "1"], "node 1 is a voter already"],
      [["RAFT.NODE", "PROMOTE", "9"], "node 9 is no member"],
      [["RAFT.NODE", "REMOVE", "9"], "node 9 is no member"],
      [["RAFT.NODE", "REMOVE", "1"], "the last voter cannot be removed"],
      [["RAFT.TRANSFER_LEADER", "9"], "node 9 is no member"],
      [["RAFT.TRANSFER_LEADER"], "there is no other voter to lead"],
    ];
    const client = ["cli", "--no-raw", "-p", `${node.respPort}`, "-a", "p"];
    for (const [command, reason] of refused) {
      const { stdout, stderr } = await runBalsa([...client, ...command]);
      expect(stdout + stderr).toBe(`(error) ERR ${reason}\n`);
    }
  });

  test("a node that is no member is told, with those there are", async () => {
    const { code, stderr } = await run("transfer", "9");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ERR no member "9"; there are 1 \(127\.0\.0\.1:\d+\)\n$/);
  });

  test("balsa add admits a learner, balsa remove takes it out again by its address", async () => {
    const added = await run("add", "127.0.0.1:1");
    expect(added).toMatchObject({ code: 0, stderr: "" });
    expect(added.stdout).toMatch(/^node \d+ at 127\.0\.0\.1:1 is admitted as a learner\n.*--join /);
    const shown = await run("status");
    expect(shown.stdout).toMatch(/ 127\.0\.0\.1:1 +learner +down /);
    expect(shown.stdout).toContain("(127.0.0.1:1) is not connected");
    const removed = await run("remove", "127.0.0.1:1", "--json");
    expect(JSON.parse(removed.stdout)).toMatchObject({ ok: true });
  });

  const MISUSED: [string[], string][] = [
    [["add"], "balsa: usage: balsa add [FLAGS] HOST:PEERPORT\n"],
    [["add", "x"], 'balsa: "x" is no HOST:PEERPORT\n'],
    [["remove", "1", "2"], "balsa: usage: balsa remove [FLAGS] NODE\n"],
    [["snapshot", "1"], "balsa: usage: balsa snapshot [FLAGS]\n"],
    [["status", "x"], 'balsa: "x" is no HOST:PORT of a node\n'],
    [["status", "--jsn"], "balsa: unknown flag --jsn (did you mean --json?)\n"],
  ];
  for (const [args, message] of MISUSED) {
    test(`${args.join(" ")} is misuse, code 2`, async () => {
      expect(await run(...args)).toEqual({ code: 2, stdout: "", stderr: message });
    });
  }

  for (const name of ["status", "add", "remove", "transfer", "snapshot"]) {
    test(`${name} --help; nobody there; a wrong password`, async () => {
      const help = await runBalsa([name, "--help"]);
      expect(help.stdout).toStartWith(`Usage: balsa ${name} [FLAGS]`);
      const operands = name === "add" ? ["a:1"] : name === "remove" ? ["1"] : [];
      const nobody = await runBalsa([name, "-p", "1", ...operands]);
      expect(nobody).toMatchObject({ code: 1, stdout: "" });
      expect(nobody.stderr).toContain("Could not connect to Balsa at 127.0.0.1:1");
      const wrong = await runBalsa([name, "-p", `${node.respPort}`, "-a", "x", ...operands]);
      expect(wrong).toMatchObject({ code: 1, stdout: "" });
      expect(wrong.stderr).toMatch(/^WRONGPASS /);
    });
  }
});
