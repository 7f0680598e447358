import { expect, test } from "bun:test";
import { knownReason } from "./known_failures.ts";
import { parseEvents, suiteName } from "./unit.ts";

test("knownReason finds a test by its name, its beginning, and where it fails", () => {
  const [evicts, moved] = ["RESTORE can set LRU", "MULTI / EXEC is propagated correctly (x)"];
  expect(knownReason("unit/dump", evicts, "node")).toContain("nothing is evicted");
  expect(knownReason("unit/dump", `${evicts} too`, "node")).toBeUndefined();
  expect(knownReason("unit/list", evicts, "node")).toBeUndefined();
  expect(knownReason("unit/multi", moved, "follower")).toContain("replication");
  const multiple = "Tracking invalidation message is not interleaved with multiple keys response";
  expect(knownReason("unit/tracking", multiple, "node")).toBeUndefined();
  expect(knownReason("unit/tracking", multiple, "follower")).toBeDefined();
});

test("parseEvents reads what the prelude tells, and tells tests of one name apart", () => {
  const line = (...fields: string[]) => fields.join("\t") + "\n";
  const text = line("start", "0", "", "a\\tb", "") + line("ok", "12", "tag", "a\\tb", "") +
    line("note", "0", "", "outside of a test", "") + line("err", "3", "", "a\\tb", "x\\ny") +
    line("fatal", "0", "", "gone", "");
  expect(parseEvents(text)).toEqual({
    tests: [
      { name: "a\tb", passed: true, ms: 12, detail: "" },
      { name: "a\tb #2", passed: false, ms: 3, detail: "x\ny" },
    ],
    notes: ["outside of a test"],
    end: "gone",
  });
  expect(suiteName("a\tb #2")).toBe("a\tb");
});
