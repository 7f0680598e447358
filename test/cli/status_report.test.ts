import { describe, expect, test } from "bun:test";
import { statusOf } from "../../cli/cluster_client.ts";
import { formatTable } from "../../cli/format_table.ts";
import { reportOf, reportText } from "../../cli/status_report.ts";
import type { ClusterStatus, MemberView } from "../../src/commands/cluster_view.ts";
import { encodeReply } from "../../src/resp/encoder.ts";
import { ReplyDecoder } from "../../src/resp/reply_decoder.ts";
import { FakeNode } from "../commands/fake_views.ts";

for (const protocol of [2, 3] as const) {
  test(`statusOf reads RAFT.CLUSTER STATUS, RESP${protocol}`, async () => {
    const node = new FakeNode();
    const reply = await node.run(node.connect(), ["RAFT.CLUSTER", "STATUS"]);
    const [decoded] = new ReplyDecoder().decode(encodeReply(reply, protocol));
    expect(statusOf(decoded)).toEqual(node.cluster.current);
  });
}

const MEMBERS: readonly MemberView[] = [1, 2, 3].map((id) => ({
  id,
  address: `10.0.0.${id}:16379`,
  role: "voter",
  isLeader: id === 1,
  isConnected: true,
}));
const LEADING = MEMBERS.map((member) =>
  member.isLeader ? { ...member, match: 12 } : { ...member, match: 11, lag: 1, state: "replicate" }
);

function statusFrom(nodeId: number, more: Partial<ClusterStatus> = {}): ClusterStatus {
  return {
    clusterId: "c1",
    nodeId,
    role: nodeId === 1 ? "leader" : "follower",
    term: 3,
    leader: 1,
    commit: 12,
    applied: 12,
    lastIndex: 12,
    snapshotIndex: 0,
    digest: "00c0ffee",
    members: nodeId === 1 ? LEADING : MEMBERS,
    ...more,
  };
}

describe("reportOf", () => {
  test("takes progress from the leader and digests from each node", () => {
    const report = reportOf([statusFrom(2), statusFrom(1), statusFrom(3, { applied: 10 })]);
    expect(report).toMatchObject({ nodeId: 2, role: "follower", warnings: [] });
    expect(report.members).toEqual([
      { ...LEADING[0], applied: 12, digest: "00c0ffee" },
      { ...LEADING[1], applied: 12, digest: "00c0ffee" },
      { ...LEADING[2], applied: 10, digest: "00c0ffee" },
    ]);
  });

  test("a deposed leader does not count", () => {
    const deposed = statusFrom(3, { leader: 3, term: 2, members: MEMBERS });
    expect(reportOf([deposed, statusFrom(1)]).members[1].match).toBe(11);
  });

  const WARNINGS: [string, ClusterStatus[], string[]][] = [
    ["nothing to warn of", [statusFrom(1)], []],
    ["no leader", [statusFrom(2, { leader: 0 })], [
      "no leader: writes and linearizable reads wait",
    ]],
    ["two voters", [statusFrom(1, { members: MEMBERS.slice(0, 2) })], [
      "two voters: losing either one stops writes",
    ]],
    [
      "two voters and a learner",
      [statusFrom(1, { members: [...MEMBERS.slice(0, 2), { ...MEMBERS[2], role: "learner" }] })],
      ["two voters: losing either one stops writes"],
    ],
    [
      "one not connected",
      [statusFrom(1, { members: [...MEMBERS.slice(0, 2), { ...MEMBERS[2], isConnected: false }] })],
      ["node 3 (10.0.0.3:16379) is not connected"],
    ],
    ["digests differ at one index", [statusFrom(1), statusFrom(2, { digest: "0" })], [
      "nodes 1 and 2 differ in their data at index 12",
    ]],
    ["digests differ at two", [statusFrom(1), statusFrom(2, { digest: "0", applied: 11 })], []],
  ];
  for (const [name, statuses, warnings] of WARNINGS) {
    test(name, () => expect(reportOf(statuses).warnings).toEqual(warnings));
  }
});

test("reportText", () => {
  const report = reportOf([statusFrom(2, { members: MEMBERS.slice(0, 2) })]);
  expect(reportText(report, "127.0.0.1:6379")).toBe(
    `cluster c1: node 1 leads, term 3
asked node 2 (follower) at 127.0.0.1:6379: commit 12, applied 12, last 12, snapshot 0

node  address         role    link   log  match  lag  applied  digest
   1  10.0.0.1:16379  leader  up       -      -    -        -  -
   2  10.0.0.2:16379  voter   asked    -      -    -       12  00c0ffee

Only the leader knows the columns log, match and lag: ask it (-h, -p).

warning: two voters: losing either one stops writes`,
  );
});

test("reportText does not send who asked the leader to the leader", () => {
  const alone = reportOf([statusFrom(1, { members: MEMBERS.slice(0, 1) })]);
  expect(reportText(alone, "127.0.0.1:6379")).not.toContain("Only the leader");
});

test("formatTable", () => {
  expect(formatTable([["a", "name"], ["1", "x"], ["10", "long name"], ["-", ""]])).toBe(
    " a  name\n 1  x\n10  long name\n -",
  );
});
