import { expect, test } from "bun:test";
import type { ClusterRequest } from "../../src/commands/cluster_view.ts";
import type { RaftStatus } from "../../src/raft/types.ts";
import { Admissions } from "../../src/server/admissions.ts";

function status(term: number, ids: readonly number[]): RaftStatus {
  const addresses = Object.fromEntries(ids.map((id) => [id, `n${id}:1`]));
  return { term, configuration: { addresses } } as Partial<RaftStatus> as RaftStatus;
}

const request = { kind: "join", address: "n9:1", nonce: "a" } as ClusterRequest;
const given = { ok: true, id: 1009, index: 9, term: 4 } as const;

test("who asks again has the same id, as long as that is a member, of the same leader", () => {
  const admissions = new Admissions();
  admissions.note(request, given, status(4, [1]));
  expect(admissions.find(request, status(4, [1, 1009]))).toEqual(given);
  expect(admissions.find({ ...request, nonce: "b" } as ClusterRequest, status(4, [1, 1009])))
    .toBeUndefined();
  // It was removed, or another leads: what stands at that index may be something else.
  expect(admissions.find(request, status(4, [1]))).toBeUndefined();
  expect(admissions.find(request, status(5, [1, 1009]))).toBeUndefined();
});
