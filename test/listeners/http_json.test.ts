import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { JSON_ITEMS_MAX, parseCommand, parsePipeline } from "../../src/listeners/http_json.ts";
import { HttpProblem } from "../../src/listeners/http_types.ts";

function problem(result: unknown): string {
  return result instanceof HttpProblem ? result.text : `no problem: ${JSON.stringify(result)}`;
}

describe("parseCommand", () => {
  test("keeps the text of every number, in a command of mixed types too", () => {
    const numbers = [
      "0",
      "-0",
      "1.50",
      "1E+2",
      "9223372036854775808",
      "0.1e-7",
      "100000000000000000000",
    ];
    expect(parseCommand(Buffer.from(`["a",${numbers.join(",")},true,"b"]`))).toEqual([
      "a",
      ...numbers,
      "true",
      "b",
    ]);
  });

  test("takes items up to a limit", () => {
    const most = Buffer.from(`[${Array(JSON_ITEMS_MAX).fill('""').join(",")}]`);
    expect(parseCommand(most)).toHaveLength(JSON_ITEMS_MAX);
    const more = Buffer.from(`[${Array(JSON_ITEMS_MAX + 1).fill("1").join(",")}]`);
    expect(problem(parseCommand(more))).toInclude(`more than ${JSON_ITEMS_MAX} items`);
  });

  test("does not count brackets, commas and escaped quotes inside strings", () => {
    const text = '[{,\\"'.repeat(100_000);
    expect(parseCommand(Buffer.from(JSON.stringify([text])))).toEqual([text]);
  });

  test("reads well-formed UTF-8 only; a lone surrogate becomes U+FFFD", () => {
    expect(parseCommand(Buffer.from('["\u{1f600}"]'))).toEqual(["\xf0\x9f\x98\x80"]);
    expect(parseCommand(Buffer.from('["\\ud83d\\ude00"]'))).toEqual(["\xf0\x9f\x98\x80"]);
    expect(parseCommand(Buffer.from('["\\ud83d"]'))).toEqual(["\xef\xbf\xbd"]);
    expect(problem(parseCommand(Buffer.from('["\xff"]', "latin1")))).toStartWith(
      "ERR failed to parse command: ",
    );
  });

  test("every truncation of a body is refused", () => {
    const whole = '["SET","k\\u0041",1.5e3,true]';
    for (let length = 0; length < whole.length; length++) {
      const text = problem(parseCommand(Buffer.from(whole.slice(0, length))));
      expect(text).toStartWith("ERR failed to parse command: ");
    }
  });
});

describe("parsePipeline", () => {
  test("ten thousand commands keep their order", () => {
    const rows = Array.from({ length: 10_000 }, (_, index) => ["SET", `key:${index}`, index]);
    const parsed = parsePipeline(Buffer.from(JSON.stringify(rows)));
    expect(parsed).toEqual(rows.map((row) => row.map(String)));
  });

  test("an error says which argument of which command", () => {
    const rows: unknown[] = Array(100).fill(["GET", "k"]);
    rows[57] = ["SET", "k", { a: 1 }];
    expect(problem(parsePipeline(Buffer.from(JSON.stringify(rows))))).toBe(
      'ERR unsupported arg type: "{": json.Delim at [57][2]',
    );
  });
});
