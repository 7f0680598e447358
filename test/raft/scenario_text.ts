import { decodeConfiguration, isJoint } from "../../src/raft/membership.ts";
import type { Configuration, Entry, Message, Ready } from "../../src/raft/types.ts";

const LATIN1 = new TextDecoder("latin1");

export function configurationText(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext } = configuration;
  let text = isJoint(configuration) ? `{${voters} & ${votersOutgoing}}` : `{${voters}}`;
  if (learners.length > 0) text += ` learners ${learners}`;
  if (learnersNext.length > 0) text += ` next ${learnersNext}`;
  return text;
}

/** `index/term`, and what is in it. */
export function entryText(entry: Entry): string {
  const at = `${entry.index}/${entry.term}`;
  if (entry.kind === "noop") return `${at} noop`;
  if (entry.kind === "configuration") {
    return `${at} ${configurationText(decodeConfiguration(entry.data))}`;
  }
  return `${at} "${LATIN1.decode(entry.data)}"`;
}

export function entriesText(entries: readonly Entry[]): string {
  return entries.map(entryText).join(", ");
}

function roundText(round: number): string {
  return round === 0 ? "" : ` round ${round}`;
}

export function messageText(message: Message): string {
  return `${message.from}>${message.to} ${message.type} term ${message.term}${bodyText(message)}`;
}

function bodyText(message: Message): string {
  switch (message.type) {
    case "append": {
      const { prevIndex, prevTerm, entries, commit, round } = message;
      const text = entries.length === 0 ? "" : ` [${entriesText(entries)}]`;
      return ` after ${prevIndex}/${prevTerm}${text} commit ${commit}${roundText(round)}`;
    }
    case "append_response": {
      const { success, index, hintIndex, hintTerm, round } = message;
      const text = success ? `match ${index}` : `refuses ${index}, try ${hintIndex}/${hintTerm}`;
      return ` ${text}${roundText(round)}`;
    }
    case "vote": {
      const { preVote, transfer, lastIndex, lastTerm } = message;
      return `${preVote ? " pre" : ""} last ${lastIndex}/${lastTerm}${transfer ? " transfer" : ""}`;
    }
    case "vote_response":
      return `${message.preVote ? " pre" : ""} ${message.granted ? "granted" : "refused"}`;
    case "heartbeat":
      return ` commit ${message.commit}${roundText(message.round)}`;
    case "heartbeat_response":
      return roundText(message.round);
    case "install_snapshot": {
      const { index, term, configuration } = message.snapshot;
      return ` at ${index}/${term} ${configurationText(configuration)}`;
    }
    case "install_snapshot_response":
      return ` match ${message.index}`;
    case "timeout_now":
      return "";
  }
}

/** The lines of a Ready but for its messages, each begun by the node's id. */
export function readyLines(id: number, ready: Ready): string[] {
  const lines: string[] = [];
  const { roleChange, hardState, entries, committed, installSnapshot } = ready;
  if (roleChange !== undefined) {
    const { role, term, leader } = roleChange;
    const of = role !== "follower" ? "" : leader === 0 ? " of nobody" : ` of ${leader}`;
    lines.push(`${role}${of}, term ${term}`);
  }
  const writes: string[] = [];
  if (hardState !== undefined) writes.push(`term ${hardState.term} vote ${hardState.votedFor}`);
  if (entries.length > 0) writes.push(`entries ${entriesText(entries)}`);
  if (writes.length > 0) lines.push(`writes ${writes.join(", ")}`);
  if (installSnapshot !== undefined) {
    lines.push(`installs snapshot ${installSnapshot.index}/${installSnapshot.term}`);
  }
  if (ready.dropped.length > 0) lines.push(`drops ${entriesText(ready.dropped)}`);
  if (committed.length > 0) lines.push(`applies ${entriesText(committed)}`);
  for (const read of ready.readStates) lines.push(`read ${read.id} at ${read.index}`);
  for (const read of ready.readsFailed) lines.push(`read ${read} fails`);
  for (const peer of ready.snapshotsNeeded) lines.push(`${peer} needs a snapshot`);
  return lines.map((line) => `  ${id}: ${line}`);
}
