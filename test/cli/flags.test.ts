import { describe, expect, test } from "bun:test";
import { environmentName, flagHelp, parseCommandLine } from "../../cli/flags.ts";
import { SERVE_FLAGS } from "../../cli/serve_flags.ts";
import { UsageError } from "../../cli/usage_error.ts";

interface Given {
  readonly args?: string[];
  readonly environment?: Record<string, string>;
  readonly file?: string;
}

function parse({ args = [], environment = {}, file }: Given) {
  return parseCommandLine(SERVE_FLAGS, {
    args: file === undefined ? args : [...args, "--config", "balsa.json"],
    environment,
    readFile: () => file ?? "",
  });
}

function problem(given: Given): string {
  try {
    parse(given);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    const { message } = error as UsageError;
    expect(message).not.toContain("\n");
    return message;
  }
  throw new Error(`Nothing was refused: ${JSON.stringify(given)}`);
}

describe("parseCommandLine", () => {
  test("the first of flag, environment, file, default has its way", () => {
    const args = ["--port", "1"];
    const environment = { BALSA_PORT: "2" };
    const file = '{"port": 3}';
    expect(parse({ args, environment, file }).settings.port).toBe(1);
    expect(parse({ environment, file }).settings.port).toBe(2);
    expect(parse({ file }).settings.port).toBe(3);
    expect(parse({}).settings.port).toBe(6379);
  });

  const ACCEPTED: [string, Given, string, unknown][] = [
    ["--name=value", { args: ["--port=7"] }, "port", 7],
    ["a switch", { args: ["--insecure"] }, "insecure", true],
    ["a switch set off", { args: ["--insecure=no"] }, "insecure", false],
    ["a switch in the environment", { environment: { BALSA_INSECURE: "1" } }, "insecure", true],
    [
      "a flag over a switch in the file",
      {
        args: ["--insecure=false"],
        file: '{"insecure": true}',
      },
      "insecure",
      false,
    ],
    ["the last of two", { args: ["--port", "1", "--port", "2"] }, "port", 2],
    ["an empty variable as unset", { environment: { BALSA_PORT: "" } }, "port", 6379],
    ["an empty password", { args: ["--password="] }, "password", ""],
    ["a password with a dash", { args: ["--password=-x"] }, "password", "-x"],
    ["a password with quotes", { args: ["--password", `a"b c`] }, "password", `a"b c`],
    ["a digit password from a file", { file: '{"password": "123"}' }, "password", "123"],
    ["a digit password", { args: ["--password", "0123"] }, "password", "0123"],
    ["seconds", { args: ["--timeout", "30"] }, "timeout", 30_000],
    ["milliseconds", { args: ["--timeout", "250ms"] }, "timeout", 250],
    ["minutes", { args: ["--timeout", "1.5m"] }, "timeout", 90_000],
    ["seconds in a file", { file: '{"timeout": 2}' }, "timeout", 2_000],
    ["a length of time in a file", { file: '{"timeout": "1h"}' }, "timeout", 3_600_000],
    ["auto", { args: ["--http-port", "auto"] }, "http-port", "auto"],
    ["a file with a byte order mark", { file: '\uFEFF{"port": 4}' }, "port", 4],
  ];
  for (const [name, given, flag, value] of ACCEPTED) {
    test(`takes ${name}`, () => {
      expect((parse(given).settings as Record<string, unknown>)[flag]).toBe(value);
    });
  }

  const PORTS = "must be a whole number from 0 to 65535";
  const REFUSED: [Given, string][] = [
    [{ args: ["--prot", "1"] }, "unknown flag --prot (did you mean --port?)"],
    [{ args: ["--passwrod=x"] }, "unknown flag --passwrod (did you mean --password?)"],
    [{ args: ["--http"] }, "unknown flag --http (did you mean --http-port?)"],
    [{ args: ["--zzzzzz"] }, "unknown flag --zzzzzz (--help lists the flags)"],
    [{ args: ["-z"] }, "unknown flag -z (--help lists the flags)"],
    [{ args: ["--port"] }, "--port needs a value: --port PORT"],
    [
      { args: ["--data", "--insecure"] },
      '--data needs a value (one that starts with "-" is written --data=VALUE)',
    ],
    [{ args: ["--port", "65536"] }, `--port: "65536" ${PORTS}`],
    [{ args: ["--port", "1e3"] }, `--port: "1e3" ${PORTS}`],
    [{ args: ["--port="] }, `--port: "" ${PORTS}`],
    [{ args: ["--data="] }, '--data: "" must not be empty'],
    [{ args: ["--insecure=maybe"] }, '--insecure: "maybe" must be true or false'],
    [{ args: ["--cache-mb", "0"] }, '--cache-mb: "0" must be a whole number from 1 to 1048576'],
    [
      { args: ["--http-port", "any"] },
      '--http-port: "any" must be a port from 0 to 65535, or auto',
    ],
    [
      { args: ["--timeout", "5 parsecs"] },
      '--timeout: "5 parsecs" must be a length of time, such as 500ms, 10s or 5m ' +
      "(a bare number is seconds)",
    ],
    [{ args: ["--timeout", "999999h"] }, '--timeout: "999999h" must be shorter than 24 days'],
    [
      { args: ["--log-level", "loud"] },
      '--log-level: "loud" must be one of debug, info, warn, error',
    ],
    [{ environment: { BALSA_PORT: "tcp://1.2:6" } }, `BALSA_PORT: "tcp://1.2:6" ${PORTS}`],
    [{ file: '{"port": "6379"}' }, `balsa.json: "port": "6379" ${PORTS}`],
    [{ file: '{"port": null}' }, `balsa.json: "port": null ${PORTS}`],
    [{ file: '{"prot": 1}' }, 'balsa.json: unknown key "prot" (did you mean "port"?)'],
    [{ file: '{"__proto__": 1, "zzzzzzz": 1}' }, "balsa.json: unknown key "],
    [{ file: '{"config": "x"}' }, 'balsa.json: unknown key "config" ('],
    [{ file: '{"password": 5}' }, 'balsa.json: "password": must be text'],
    [{ file: "[1]" }, 'balsa.json: must hold one JSON object, such as {"port": 6379}'],
    [{ file: '{"port": 1' }, "balsa.json: not JSON: "],
    [{ file: "" }, "balsa.json: not JSON: "],
  ];
  for (const [given, message] of REFUSED) {
    test(`refuses ${JSON.stringify(given)}`, () => {
      expect(problem(given).slice(0, message.length)).toBe(message);
    });
  }

  test("a secret is in no error", () => {
    expect(problem({ file: '{"token": ["hunter2"]}' })).toBe('balsa.json: "token": must be text');
  });

  test("a file that cannot be read is named", () => {
    const readFile = () => {
      throw new Error("ENOENT: no such file");
    };
    const parsing = () => parseCommandLine(SERVE_FLAGS, { args: ["--config=x.json"], readFile });
    expect(parsing).toThrow("--config: cannot read x.json: ENOENT: no such file");
  });

  test("flags end at the first positional, and at --", () => {
    expect(parse({ args: ["--port", "1", "SET", "--port", "2"] })).toMatchObject({
      settings: { port: 1 },
      positionals: ["SET", "--port", "2"],
    });
    expect(parse({ args: ["--", "--port", "2"] }).positionals).toEqual(["--port", "2"]);
  });

  test("help is given whatever the environment holds", () => {
    expect(parse({ args: ["--help"], environment: { BALSA_PORT: "x" } }).help).toBe(true);
    expect(parse({ args: ["-h"] }).help).toBe(true);
  });
});

test("flagHelp names each flag and its default", () => {
  const help = flagHelp(SERVE_FLAGS);
  for (const name of Object.keys(SERVE_FLAGS)) expect(help).toContain(`--${name}`);
  expect(help).toContain("(port + 10000)");
  expect(help).toContain("(./balsa-data)");
  for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
});

test("environmentName", () => {
  expect(environmentName("http-port")).toBe("BALSA_HTTP_PORT");
});
