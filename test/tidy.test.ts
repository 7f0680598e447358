import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { commandList, keptList, MAKE_AGAIN } from "./compat/command_list.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url).href);

/** The files of the repository, and those about to be added. */
const FILES = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard"],
  { cwd: ROOT, encoding: "utf8" },
).trim().split("\n").filter((path) => existsSync(join(ROOT, path)));
const SOURCES = FILES.filter((path) => path.endsWith(".ts"));
/** With what of test/ the program ships. */
const PROGRAM = SOURCES.filter((path) =>
  /^(src|cli|test\/(checker|simulator))\//.test(path) && !path.endsWith(".test.ts")
);

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** A line without its comment and without what stands in quotes. */
function codeOf(line: string): string {
  return line
    .replace(/^\s*(\/\*\*?|\*).*$/, "")
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""')
    .replace(/(^|\s)\/\/.*$/, "");
}

/** `path:number: line` of each line of code that matches. */
function linesThat(paths: readonly string[], pattern: RegExp, whole = false): string[] {
  return paths.flatMap((path) =>
    read(path).split("\n").flatMap((line, i) =>
      pattern.test(whole ? line : codeOf(line)) ? [`${path}:${i + 1}: ${line.trim()}`] : []
    )
  );
}

/**
 * What each layer may import of the others, DESIGN.md's picture from the bottom up. A layer is a
 * folder of src/ or test/, a file in src/ itself, or cli.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  constants: ["base"],
  runtime: ["base"],
  resp: ["base", "constants"],
  raft: ["base", "constants"],
  storage: ["base", "constants", "raft", "runtime"],
  scripting: ["base", "constants"],
  commands: ["base", "constants", "resp", "storage", "scripting"],
  transport: ["base", "constants", "raft", "runtime"],
  server: [
    "base",
    "constants",
    "runtime",
    "resp",
    "raft",
    "storage",
    "scripting",
    "commands",
  ],
  listeners: ["base", "constants", "runtime", "resp", "commands", "server"],
  node: [
    "base",
    "constants",
    "runtime",
    "resp",
    "raft",
    "storage",
    "commands",
    "transport",
    "server",
    "listeners",
  ],
  checker: ["base", "resp"],
  simulator: [
    "base",
    "constants",
    "runtime",
    "resp",
    "raft",
    "storage",
    "commands",
    "transport",
    "server",
    "node",
  ],
  cli: [
    "checker",
    "simulator",
    "base",
    "constants",
    "runtime",
    "resp",
    "commands",
    "server",
    "node",
  ],
};

/** Packages and runtime modules, and the layers that may use each. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "hono": ["listeners"],
  "valibot": ["listeners", "transport", "node", "cli"],
  "@logtape/logtape": ["server"],
  "prom-client": ["node"],
  "@hono/node-server": ["runtime"],
  "better-sqlite3": ["storage"],
  "bun:jsc": ["simulator"],
  "bun:sqlite": ["storage"],
  "node:sqlite": ["storage"],
};

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g;

function importsOf(path: string): string[] {
  return [...read(path).matchAll(IMPORT)].map((match) => match[1]);
}

function layerOf(path: string): string {
  const [first, second, third] = path.split("/");
  if (first === "cli") return first;
  return third === undefined ? second.replace(/\.ts$/, "") : second;
}

describe("import layers", () => {
  test("each file imports of the layers below only", () => {
    const wrong = PROGRAM.flatMap((path) => {
      const allowed = [layerOf(path), ...MAY_IMPORT[layerOf(path)] ?? []];
      return importsOf(path)
        .filter((target) => target.startsWith("."))
        .filter((target) => !allowed.includes(layerOf(normalize(join(dirname(path), target)))))
        .map((target) => `${path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test("each layer is in the table", () => {
    const layers = new Set(PROGRAM.map(layerOf));
    expect([...layers].filter((layer) => MAY_IMPORT[layer] === undefined)).toEqual([]);
  });

  test("a package is used where it belongs", () => {
    const wrong = PROGRAM.flatMap((path) =>
      importsOf(path)
        .filter((target) => !target.startsWith("."))
        .map((target) => /^(node:|bun:)/.test(target) ? target : packageOf(target))
        .filter((name) => !(PACKAGES[name]?.includes(layerOf(path)) ?? name.startsWith("node:")))
        .map((name) => `${path} imports ${name}`)
    );
    expect(wrong).toEqual([]);
  });

  // resp reads from node:buffer, bytes and nothing else.
  const PURE = PROGRAM.filter((path) => /^(src\/(raft|commands|resp)|test\/checker)\//.test(path));
  test("raft, commands, resp and checker import no runtime module", () => {
    const wrong = PURE.flatMap((path) =>
      importsOf(path)
        .filter((target) => !target.startsWith("."))
        .filter((target) => !(layerOf(path) === "resp" && target === "node:buffer"))
        .map((target) => `${path} imports ${target}`)
    );
    expect(wrong).toEqual([]);
  });

  test("raft, commands, resp and checker use no clock, timer, chance or runtime; raft no promise", () => {
    const timers = "set(Timeout|Interval|Immediate)|queueMicrotask|performance\\.";
    const impure =
      `\\b(Date\\b|Math\\.random|${timers}|crypto\\.|process\\.|Deno\\.|Bun\\.|fetch\\()`;
    expect(linesThat(PURE, new RegExp(impure))).toEqual([]);
    const raft = PURE.filter((path) => path.startsWith("src/raft/"));
    expect(linesThat(raft, /\b(async|await|Promise)\b/)).toEqual([]);
  });
});

function packageOf(target: string): string {
  const parts = target.split("/");
  return parts.slice(0, target.startsWith("@") ? 2 : 1).join("/");
}

describe("files", () => {
  test("are at most 500 lines", () => {
    // Tables that a tool made have the length of what they list.
    const handMade = SOURCES.filter((path) => !path.startsWith("src/commands/metadata/"));
    const long = handMade.filter((path) => read(path).trimEnd().split("\n").length > 500);
    expect(long).toEqual([]);
  });

  test("have lines of at most 100 characters", () => {
    const long = SOURCES.flatMap((path) =>
      read(path).split("\n").flatMap((line, i) =>
        // Only a text that cannot be broken may be longer: deno fmt leaves it.
        [...line].length > 100 && !/["'`\/]/.test(line) ? [`${path}:${i + 1}`] : []
      )
    );
    expect(long).toEqual([]);
  });

  test("have names in snake_case", () => {
    const wrong = SOURCES.filter((path) =>
      !/^([a-z0-9_]+\/)*[a-z0-9_]+(\.test|\.d)?\.ts$/.test(path)
    );
    expect(wrong).toEqual([]);
  });

  test("hold no any, no ignored type error, no namespace, no enum", () => {
    expect(linesThat(SOURCES, /(:|<|\bas|[^|]\|)\s*any\b/)).toEqual([]);
    expect(linesThat(SOURCES, /@ts-(ignore|nocheck|expect-error)/, true).filter(isNotHere))
      .toEqual([]);
    expect(linesThat(SOURCES, /^\s*(export\s+)?(const\s+)?(enum|namespace)\s+\w+/)).toEqual([]);
  });

  test("leave nothing to do", () => {
    expect(linesThat(SOURCES, /\b(TODO|FIXME|XXX)\b/, true).filter(isNotHere)).toEqual([]);
  });

  test("hold no path of one machine", () => {
    const texts = FILES.filter((path) => !/\.(png|lock)$/.test(path));
    expect(linesThat(texts, /\/(home|Users|root|work)\/\w/, true).filter(isNotHere)).toEqual([]);
  });
});

function isNotHere(place: string): boolean {
  return !place.startsWith("test/tidy.test.ts:");
}

describe("the repository", () => {
  test("has a short top level", () => {
    const top = new Set(FILES.map((path) => path.split("/")[0]));
    const visible = [...top].filter((name) => !name.startsWith(".")).sort();
    const allowed = ["LICENSE", "README.md", "cli", "compile.sh", "deno.json", "package-lock.json"];
    allowed.push("package.json", "src", "test");
    expect(visible).toEqual(allowed);
    expect([...top].filter((name) => name.startsWith(".")).sort()).toEqual([".ci", ".gitignore"]);
  });

  test(`has the list of commands that the table makes (${MAKE_AGAIN})`, async () => {
    expect(keptList()).toBe(await commandList());
  });

  test("has a README.md in each folder that holds a decision", () => {
    const folders = [
      "commands",
      "listeners",
      "node",
      "raft",
      "resp",
      "runtime",
      "scripting",
      "server",
      "storage",
      "transport",
    ];
    expect(folders.filter((name) => !FILES.includes(`src/${name}/README.md`))).toEqual([]);
  });

  test("locks packages by checksum, not by the host of a registry", () => {
    const lock = read("package-lock.json");
    expect(lock).not.toContain('"resolved"');
    expect(lock).not.toMatch(/registry|https?:\/\/(?!(opencollective|github|www\.patreon))/);
  });

  test("asks for each package that the program imports", () => {
    const { dependencies } = JSON.parse(read("package.json"));
    const used = new Set(
      PROGRAM.flatMap(importsOf)
        .filter((target) => !/^(\.|node:|bun:)/.test(target))
        .map(packageOf),
    );
    // better-sqlite3 is loaded by a name that no bundler follows.
    const unused = Object.keys(dependencies).filter((name) => !used.has(name));
    expect(unused).toEqual(["better-sqlite3"]);
    expect([...used].filter((name) => dependencies[name] === undefined)).toEqual([]);
  });
});
