import { expect, test } from "bun:test";
import { ScriptsTable } from "../../src/storage/scripts_table.ts";

const sha1 = (i: number) => String(i).padStart(40, "0");

test("ScriptsTable forgets the oldest when it is full, and never the newest", () => {
  const table = new ScriptsTable(1000);
  for (let i = 0; i < 10; i++) table.add(sha1(i), `return ${i}`);
  expect(table.bytes).toBeLessThanOrEqual(1000);
  expect(table.size).toBe(4);
  expect(table.find(sha1(5))).toBeUndefined();
  expect(table.find(sha1(6))).toBe("return 6");
  expect(table.rows.map(([, data]) => data.slice(40))).toEqual(
    [6, 7, 8, 9].map((i) => `return ${i}`),
  );
  table.add(sha1(99), "x".repeat(5000));
  expect(table.size).toBe(1);
  expect(table.find(sha1(99))).toHaveLength(5000);
  table.clear();
  expect([table.size, table.bytes, table.rows]).toEqual([0, 0, []]);
});
