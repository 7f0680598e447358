import { afterAll, beforeAll, describe, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compareRows } from "./compare.ts";
import { RedisReference } from "./redis_reference.ts";

const directory = fileURLToPath(new URL("./rows/", import.meta.url).href);

describe("replies equal those of redis-server", () => {
  let reference: RedisReference;
  beforeAll(async () => {
    reference = await RedisReference.start();
  });
  afterAll(() => reference?.stop());

  for (const file of readdirSync(directory).sort()) {
    for (const protocol of [2, 3] as const) {
      test(`${file}, RESP${protocol}`, async () => {
        const rows = readFileSync(join(directory, file), "latin1");
        await compareRows(reference, rows, protocol);
      });
    }
  }
});
