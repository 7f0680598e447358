import { expect, test } from "bun:test";
import { patchesIn, problemOf } from "./scratch_copy.ts";

test.each(["test/simulator/mutants", "test/fuzz/mutants"])("each patch of %s applies", (folder) => {
  const patches = patchesIn(folder, []);
  expect(patches).not.toEqual([]);
  const problems = patches.map(([name, patch]) => [name, problemOf(patch)]);
  expect(problems.filter(([, problem]) => problem !== undefined)).toEqual([]);
});
