import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEV_FLAGS } from "../../cli/dev_flags.ts";
import { planDev } from "../../cli/dev_plan.ts";
import { parseCommandLine } from "../../cli/flags.ts";
import { serveConfig } from "../../cli/serve_config.ts";
import { SERVE_FLAGS } from "../../cli/serve_flags.ts";

let directory: string;
beforeEach(() => directory = mkdtempSync(join(tmpdir(), "balsa-dev-")));
afterEach(() => rmSync(directory, { recursive: true }));

function plan(...args: string[]) {
  const line = ["--data", directory, ...args];
  return planDev(parseCommandLine(DEV_FLAGS, { args: line }).settings);
}

/** What the nodes are told, as they understand it. */
function configs(...args: string[]) {
  return plan(...args).nodes.map(({ args: [name, ...flags] }) => {
    expect(name).toBe("serve");
    return serveConfig(parseCommandLine(SERVE_FLAGS, { args: flags }).settings);
  });
}

describe("planDev", () => {
  test("three nodes on the next ports, which found one cluster", () => {
    const join = ["127.0.0.1:16379", "127.0.0.1:16380", "127.0.0.1:16381"];
    expect(configs()).toMatchObject([
      { port: 6379, httpPort: 8080, peerPort: 16379, isPeerPortFixed: true },
      { port: 6380, httpPort: 8081, peerPort: 16380, isPeerPortFixed: true },
      { port: 6381, httpPort: 8082, peerPort: 16381, isPeerPortFixed: true },
    ]);
    for (const config of configs()) {
      expect(config).toMatchObject({ host: "127.0.0.1", join, bootstrapExpect: 3 });
    }
    expect(configs().map(({ dataDirectory }) => dataDirectory.slice(-2))).toEqual([
      "/a",
      "/b",
      "/c",
    ]);
  });

  test("a second start keeps the secret and the peer ports", () => {
    const first = plan("--port", "7000");
    expect(first.isResumed).toBe(false);
    const second = plan("--port", "8000", "--http-port", "0");
    expect(second).toMatchObject({ isResumed: true, clusterSecret: first.clusterSecret });
    expect(second.nodes.map(({ peerPort }) => peerPort)).toEqual([17000, 17001, 17002]);
    expect(second.nodes.map(({ respPort }) => respPort)).toEqual([8000, 8001, 8002]);
    expect(configs("--http-port", "0").map(({ httpPort }) => httpPort)).toEqual(
      Array(3).fill("off"),
    );
  });

  test("the secret is long and only the user's", () => {
    expect(plan().clusterSecret.length).toBeGreaterThanOrEqual(32);
    const names = readdirSync(directory).sort();
    expect(names).toEqual(["a.json", "b.json", "c.json", "dev.json"]);
    for (const name of names) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    }
    const kept = JSON.parse(readFileSync(join(directory, "dev.json"), "utf8"));
    expect(kept.clusterSecret).toBe(plan().clusterSecret);
    expect(JSON.stringify(plan().nodes)).not.toContain(kept.clusterSecret);
  });

  test("a node can be started by hand with its file", () => {
    const { nodes, clusterSecret } = plan("--http-port", "0");
    for (const [i, config] of configs("--http-port", "0").entries()) {
      const { settings } = parseCommandLine(SERVE_FLAGS, {
        args: ["--config", nodes[i].configPath],
        readFile: (path) => readFileSync(path, "utf8"),
      });
      expect(serveConfig(settings)).toEqual({ ...config, clusterSecret });
    }
  });

  test("a node alone founds its cluster; more of them join it", () => {
    expect(configs("--nodes", "1")).toMatchObject([{ join: [], bootstrapExpect: 0 }]);
    const join = ["127.0.0.1:16379"];
    expect(configs("--nodes", "3")).toMatchObject([
      { join: [], bootstrapExpect: 0 },
      { join, bootstrapExpect: 0 },
      { join, bootstrapExpect: 0 },
    ]);
  });

  test("more nodes than before join the founders", () => {
    plan();
    const [, , founder, added] = configs("--nodes", "5");
    expect(founder.bootstrapExpect).toBe(3);
    expect(added).toMatchObject({ peerPort: 16382, bootstrapExpect: 0, join: founder.join });
    expect(plan().nodes.length).toBe(5);
  });

  test("fewer nodes than the directory holds are refused", () => {
    plan();
    expect(() => plan("--nodes", "2")).toThrow("holds a cluster of 3 nodes");
  });

  test("peer ports stay in range", () => {
    expect(plan("--port", "60000").nodes.map(({ peerPort }) => peerPort)).toEqual([
      50000,
      50001,
      50002,
    ]);
  });

  for (const flags of [["--http-port", "6380"], ["--http-port", "16381"]]) {
    test(`${flags.join(" ")} is refused: the port is taken`, () => {
      expect(() => plan(...flags)).toThrow(/^port \d+ would be .* and .*: choose other ports$/);
      expect(readdirSync(directory)).toEqual([]);
    });
  }

  for (const name of ["file", "file/below"]) {
    test(`a directory that cannot be made is told: ${name}`, () => {
      const path = join(directory, "file");
      writeFileSync(path, "mine");
      expect(() => plan("--data", join(directory, name))).toThrow(/^--data: cannot use .*file/);
      expect(readFileSync(path, "utf8")).toBe("mine");
    });
  }

  test("a record that cannot be read is told, and left alone", () => {
    const path = join(directory, "dev.json");
    for (const content of ["", "{}", '{"clusterSecret":"s","founders":3,"peerPorts":[0]}']) {
      writeFileSync(path, content);
      expect(() => plan()).toThrow(`cannot read ${path}: `);
      expect(readFileSync(path, "utf8")).toBe(content);
    }
  });
});
