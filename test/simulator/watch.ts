import type { NodeCore } from "../../src/node/node_core.ts";
import type { NodeStorage } from "../../src/server/node_storage.ts";
import type { Server } from "../../src/server/server.ts";
import type { Truth } from "./truth.ts";
import type { World } from "./world.ts";

/** Has the truth see what passes between the parts of a node. */
export function watch(
  id: number,
  _server: Server,
  core: NodeCore,
  storage: NodeStorage,
  truth: Truth,
  world: World,
): void {
  watchLog(id, storage, truth);
  watchState(id, storage, truth);
  const { link } = core.cluster;
  const send = link.send.bind(link);
  link.send = (messages) => {
    truth.sending(messages);
    if (world.trace.isFull) { for (const message of messages) world.noteMessage(message); }
    send(messages);
  };
}

function watchLog(id: number, { log, ops }: NodeStorage, truth: Truth): void {
  const append = log.append.bind(log);
  log.append = (entries, hardState) => {
    truth.appending(id, entries, hardState);
    append(entries, hardState);
    truth.appended(id, entries, hardState);
  };
  const compact = log.compact.bind(log);
  log.compact = (meta) => {
    truth.purged(id, meta.index, ops.durable.index, ops.applied.index);
    truth.moving(id, (shadow) => shadow.compact(meta));
    compact(meta);
    truth.moved(id, (shadow) => shadow.compact(meta));
  };
  const reset = log.reset.bind(log);
  log.reset = (meta) => {
    truth.counts.snapshots++;
    truth.moving(id, (shadow) => shadow.reset(meta));
    reset(meta);
    truth.moved(id, (shadow) => shadow.reset(meta));
  };
}

function watchState(id: number, { ops }: NodeStorage, truth: Truth): void {
  const setApplied = ops.setApplied.bind(ops);
  ops.setApplied = (state) => {
    setApplied(state);
    truth.applied(id, state.index, state.digest);
  };
}
