import type { ClusterStatus, MemberView } from "../src/commands/cluster_view.ts";
import { formatTable } from "./format_table.ts";

/** A member with what was learned of it from the nodes that were asked. */
export interface MemberReport extends MemberView {
  readonly applied?: number;
  readonly digest?: string;
}

/** The cluster, put together from what several nodes say. */
export interface StatusReport extends ClusterStatus {
  readonly members: readonly MemberReport[];
  readonly warnings: readonly string[];
}

/** Puts together what nodes of one cluster say; the first is the one that was asked. */
export function reportOf(statuses: readonly ClusterStatus[]): StatusReport {
  const [asked] = statuses;
  // Who leads knows how far the others are; of two that say so, the later term is right.
  const leader = statuses.filter(({ nodeId, leader }) => nodeId === leader)
    .sort((a, b) => b.term - a.term)[0];
  const { members } = leader ?? asked;
  const merged = members.map((member): MemberReport => {
    const own = statuses.find(({ nodeId }) => nodeId === member.id);
    return own === undefined ? member : { ...member, applied: own.applied, digest: own.digest };
  });
  return { ...asked, members: merged, warnings: warningsOf(asked, merged, statuses) };
}

/** What a person should know of. */
function warningsOf(
  asked: ClusterStatus,
  members: readonly MemberReport[],
  statuses: readonly ClusterStatus[],
): string[] {
  const warnings: string[] = [];
  if (asked.leader === 0) warnings.push("no leader: writes and linearizable reads wait");
  const voters = members.filter(({ role }) => role === "voter");
  if (voters.length === 2) warnings.push("two voters: losing either one stops writes");
  for (const { id, address, isConnected } of members) {
    if (!isConnected) warnings.push(`node ${id} (${address}) is not connected`);
  }
  for (const [i, one] of statuses.entries()) {
    for (const other of statuses.slice(i + 1)) {
      if (one.applied !== other.applied || one.digest === other.digest) continue;
      warnings.push(
        `nodes ${one.nodeId} and ${other.nodeId} differ in their data at index ${one.applied}`,
      );
    }
  }
  return warnings;
}

const HEADINGS = ["node", "address", "role", "link", "log", "match", "lag", "applied", "digest"];

/** The report for people. */
export function reportText(report: StatusReport, askedAt: string): string {
  const { clusterId, nodeId, role, term, leader, commit, applied, lastIndex } = report;
  const leads = leader === 0 ? "nobody leads" : `node ${leader} leads`;
  const rows = report.members.map((member) => [
    `${member.id}`,
    member.address,
    member.isLeader ? "leader" : member.role,
    member.id === nodeId ? "asked" : member.isConnected ? "up" : "down",
    member.state ?? "-",
    `${member.match ?? "-"}`,
    member.isLeader ? "-" : `${member.lag ?? "-"}`,
    `${member.applied ?? "-"}`,
    member.digest ?? "-",
  ]);
  const lines = [
    `cluster ${clusterId}: ${leads}, term ${term}`,
    `asked node ${nodeId} (${role}) at ${askedAt}: ` +
    `commit ${commit}, applied ${applied}, last ${lastIndex}, snapshot ${report.snapshotIndex}`,
    "",
    formatTable([HEADINGS, ...rows]),
  ];
  if (role !== "leader" && !report.members.some(({ match }) => match !== undefined)) {
    lines.push("", "Only the leader knows the columns log, match and lag: ask it (-h, -p).");
  }
  if (report.warnings.length > 0) lines.push("", ...report.warnings.map((w) => `warning: ${w}`));
  return lines.join("\n");
}
