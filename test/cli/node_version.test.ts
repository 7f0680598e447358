import { expect, test } from "bun:test";
import { nodeVersionProblem } from "../../cli/node_version.ts";

test("nodeVersionProblem refuses Node.js before 22, and nothing else", () => {
  expect(nodeVersionProblem({ node: "20.20.2" })).toContain("Node.js 20.20.2 is too old");
  expect(nodeVersionProblem({ node: "22.18.0" })).toBeUndefined();
  expect(nodeVersionProblem({ node: "24.0.0" })).toBeUndefined();
  expect(nodeVersionProblem({ node: "18.0.0", bun: "1.4.5" })).toBeUndefined();
  expect(nodeVersionProblem({ node: "18.0.0", deno: "2.9.6" })).toBeUndefined();
});
