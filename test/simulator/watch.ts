import type { NodeCore } from "../../src/node/node_core.ts";
import type { NodeView } from "../../src/commands/local_context.ts";
import type { NodeStorage } from "../../src/server/node_storage.ts";
import { waitForReplicas } from "../../src/server/replica_wait.ts";
import type { AppendOutcome } from "../../src/storage/raft_log_types.ts";
import type { Server } from "../../src/server/server.ts";
import type { Session } from "../../src/server/session.ts";
import { DurableClaims } from "./durable_claims.ts";
import { FollowerClaims } from "./follower_claims.ts";
import { wrongChange } from "./keys_truth.ts";
import { LeaderClaims } from "./leader_claims.ts";
import { ProposalClaims } from "./proposal_claims.ts";
import { ReadClaims } from "./read_claims.ts";
import type { Truth } from "./truth.ts";
import { unread, unserved } from "./waiting_truth.ts";
import type { SimNode } from "./sim_node.ts";
import type { World } from "./world.ts";

/** What commands on users ask of a node. */
const ACL = { nodePassword: "", newUserChannels: "resetchannels" } as NodeView["acl"];

/** Has the truth see what passes between the parts of a node. */
export function watch(
  id: number,
  server: Server,
  { cluster }: NodeCore,
  storage: NodeStorage,
  truth: Truth,
  world: World,
): void {
  watchLog(id, storage, truth);
  const { raft } = server.driver;
  const node = world.nodes.find((each) => each.storage === storage)!;
  watchState(id, node, storage, world);
  const { clock } = node.process!;
  const step = raft.step.bind(raft);
  raft.step = (message) => {
    node.heardMs.set(message.from, world.scheduler.nowMs);
    step(message);
  };
  const waiting = { server, cluster: cluster.view(server), clock };
  server.node = {
    acl: ACL,
    waitForReplicas: (client, wanted, timeoutMs) =>
      waitForReplicas(waiting, client as Session, wanted, timeoutMs),
  } as NodeView;
  // What is committed is judged by the members of the time, which the next call may change; and by
  // who commits it, who may die amid the write that comes next.
  const ready = raft.ready.bind(raft);
  raft.ready = () => {
    truth.look(raft.status());
    const made = ready();
    if (made !== undefined) truth.look(raft.status());
    return made;
  };
  const core = {
    id,
    raft,
    violate: (invariant: string, detail: string) => truth.violate(invariant, detail),
  };
  new ReadClaims({
    ...core,
    server,
    link: cluster.link,
    commit: () => truth.commit,
    areClocksFair: world.areClocksFair,
    statusOf: (other) =>
      world.nodes.find((node) => node.id === other)?.server?.driver.raft.status(),
  });
  new FollowerClaims(core);
  new ProposalClaims({
    ...core,
    server,
    nowMs: () => clock.wallMs(),
    logTimeMs: () => storage.ops.applied.logTimeMs,
  });
  const termAt = (index: number) => truth.shadow(id).termAt(index);
  new LeaderClaims({ ...core, electionTimeoutMs: world.electionTimeoutMs, termAt });
  new DurableClaims({ ...core, termAt });
  const change = server.changeMembership.bind(server);
  server.changeMembership = (wanted) => {
    truth.look(raft.status());
    if (wanted.kind === "remove" && !world.mayRemove(wanted.id)) {
      // One that says nothing of who is a member, and is not tried again.
      return { ok: false, reason: "window_full" };
    }
    const changed = change(wanted);
    if (wanted.kind === "promote" && changed.ok) truth.promoted(wanted.id, changed.index);
    return changed;
  };
  const { link } = cluster;
  const send = link.send.bind(link);
  link.send = (messages) => {
    truth.sending(messages);
    if (world.trace.isFull) { for (const message of messages) world.noteMessage(message); }
    send(messages);
  };
}

function watchLog(id: number, { log, ops }: NodeStorage, truth: Truth): void {
  // What a thread writes, behind the end of the log, until the truth knows of its end.
  let underWay: { readonly appended: () => void; readonly lastIndex: number } | undefined;
  const append = log.append.bind(log);
  log.append = (entries, hardState, written) => {
    truth.appending(id, entries, hardState);
    const appended = () => truth.appended(id, entries, hardState);
    const ended = (outcome: AppendOutcome) => {
      if (outcome === "durable") underWay?.appended();
      underWay = undefined;
      written?.(outcome);
    };
    if (append(entries, hardState, written && ended)) {
      appended();
      return true;
    }
    underWay = { appended, lastIndex: entries[entries.length - 1].index };
    return false;
  };
  const settle = (): void => {
    log.settle();
    if (underWay !== undefined && log.lastIndex >= underWay.lastIndex) underWay.appended();
    underWay = undefined;
  };
  const compact = log.compact.bind(log);
  log.compact = (meta) => {
    settle();
    truth.purged(id, meta.index, ops.durable.index, ops.applied.index);
    truth.moving(id, (shadow) => shadow.compact(meta));
    compact(meta);
    truth.moved(id, (shadow) => shadow.compact(meta));
  };
  const reset = log.reset.bind(log);
  log.reset = (meta) => {
    truth.counts.snapshots++;
    settle();
    truth.moving(id, (shadow) => shadow.reset(meta));
    reset(meta);
    truth.moved(id, (shadow) => shadow.reset(meta));
  };
}

function watchState(
  id: number,
  node: SimNode,
  storage: NodeStorage,
  world: World,
): void {
  const { truth } = world;
  const { ops } = storage;
  const setApplied = ops.setApplied.bind(ops);
  ops.setApplied = (state) => {
    setApplied(state);
    truth.applied(id, state.index, state.digest);
    truth.beside.applied(id, state.index, storage);
    truth.free.applied(id, state.index, storage);
    const [entry] = storage.beside.changes.read(state.index - 1);
    if (entry?.index === state.index) world.changed(node, entry.index, entry.changes);
    const sessions = [...world.unanswered].filter((each) => each.node === node);
    const waiting = unserved(storage) ?? unread(storage, sessions);
    if (waiting !== undefined) {
      truth.violate("who can be served does not wait", `node ${id} at ${state.index}: ${waiting}`);
    }
    const key = wrongChange(truth.reference, storage);
    if (key === undefined) return;
    const what = `node ${id}: ${key} is not as entry ${state.index} leaves it`;
    truth.violate("a key is as the log says", what);
  };
}
