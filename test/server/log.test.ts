import { describe, expect, test } from "bun:test";
import { createLogger } from "../../src/server/log.ts";

function linesOf(format: "text" | "json", level: "debug" | "warn" = "debug") {
  const lines: string[] = [];
  return { lines, logger: createLogger({ level, format, write: (line) => lines.push(line) }) };
}

describe("createLogger", () => {
  test("drops what is below its level", () => {
    const { lines, logger } = linesOf("text", "warn");
    logger.debug("a");
    logger.info("b");
    logger.warn("c");
    logger.error("d");
    expect(lines.map((line) => line.split(" ").slice(1).join(" "))).toEqual(["warn  c", "error d"]);
  });

  test("text: time, level, message, fields; quoted where they hold spaces", () => {
    const { lines, logger } = linesOf("text");
    logger.info("became leader", {
      term: 3,
      peer: "127.0.0.1:7",
      why: "time is up",
      no: undefined,
    });
    const [time, ...rest] = lines[0].split(" ");
    expect(Date.parse(time)).toBeGreaterThan(0);
    expect(rest.join(" "))
      .toBe('info  became leader term=3 peer=127.0.0.1:7 why="time is up"');
  });

  test("json: one object a line", () => {
    const { lines, logger } = linesOf("json");
    logger.warn("slow fsync", { ms: 12 });
    const { time, ...rest } = JSON.parse(lines[0]);
    expect(rest).toEqual({ level: "warn", message: "slow fsync", ms: 12 });
    expect(Date.parse(time)).toBeGreaterThan(0);
  });

  for (const format of ["text", "json"] as const) {
    test(`${format}: braces are kept and a line break does not make a second line`, () => {
      const { lines, logger } = linesOf(format);
      logger.error("unexpected {term} } in\nfile", { term: 1 });
      expect(lines.length).toBe(1);
      expect(lines[0]).toContain("unexpected {term} } in\\nfile");
    });
  }
});
