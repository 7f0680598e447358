import { isVoter } from "./quorum.ts";
import type { Configuration, MembershipChange, NodeId } from "./types.ts";
import { ByteReader, ByteWriter, DecodeError } from "./wire.ts";

const FORMAT_VERSION = 1;

/** The configuration of a node that has not joined a cluster: it waits to be told. */
export const EMPTY_CONFIGURATION: Configuration = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  addresses: {},
};

/** Whether `configuration` is a joint one (C_old,new; section 6). */
export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** All members, each once, ascending. */
export function memberIds(configuration: Configuration): NodeId[] {
  const ids = new Set<NodeId>();
  for (const id of configuration.voters) ids.add(id);
  for (const id of configuration.votersOutgoing) ids.add(id);
  for (const id of configuration.learners) ids.add(id);
  for (const id of configuration.learnersNext) ids.add(id);
  return [...ids].sort((a, b) => a - b);
}

function isMember(configuration: Configuration, id: NodeId): boolean {
  return isVoter(configuration, id) || configuration.learners.includes(id) ||
    configuration.learnersNext.includes(id);
}

function added(ids: readonly NodeId[], id: NodeId): NodeId[] {
  return [...ids, id].sort((a, b) => a - b);
}

function without(ids: readonly NodeId[], id: NodeId): NodeId[] {
  return ids.filter((other) => other !== id);
}

function withAddress(configuration: Configuration, id: NodeId, address: string): Configuration {
  return { ...configuration, addresses: { ...configuration.addresses, [id]: address } };
}

/**
 * The configuration to append for `change`: joint when the voters change, else in one step.
 * Undefined when the change makes no sense here (unknown node, last voter, already a member).
 */
export function changed(
  configuration: Configuration,
  change: MembershipChange,
): Configuration | undefined {
  const { id } = change;
  if (!Number.isSafeInteger(id) || id <= 0 || isJoint(configuration)) return undefined;
  switch (change.kind) {
    case "add_learner": {
      if (isMember(configuration, id)) return undefined;
      const grown = { ...configuration, learners: added(configuration.learners, id) };
      return withAddress(grown, id, change.address);
    }
    case "promote":
      if (!configuration.learners.includes(id)) return undefined;
      return {
        ...configuration,
        voters: added(configuration.voters, id),
        votersOutgoing: configuration.voters,
        learners: without(configuration.learners, id),
      };
    case "remove": {
      if (configuration.learners.includes(id)) {
        return left({ ...configuration, learners: without(configuration.learners, id) });
      }
      const voters = without(configuration.voters, id);
      if (voters.length === configuration.voters.length || voters.length === 0) return undefined;
      return { ...configuration, voters, votersOutgoing: configuration.voters };
    }
    case "set_address":
      if (!isMember(configuration, id)) return undefined;
      return withAddress(configuration, id, change.address);
  }
}

/** C_new of a joint configuration; addresses of those who are no members any more go. */
export function left(configuration: Configuration): Configuration {
  const learners = [...new Set([...configuration.learners, ...configuration.learnersNext])];
  const plain: Configuration = {
    voters: configuration.voters,
    votersOutgoing: [],
    learners: learners.sort((a, b) => a - b),
    learnersNext: [],
    addresses: {},
  };
  const addresses: Record<number, string> = {};
  for (const id of memberIds(plain)) {
    const address = configuration.addresses[id];
    if (address !== undefined) addresses[id] = address;
  }
  return { ...plain, addresses };
}

function ascending(ids: readonly NodeId[]): NodeId[] {
  return [...ids].sort((a, b) => a - b);
}

/** The bytes of a configuration: equal configurations give equal bytes. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const writer = new ByteWriter(128);
  writer.byte(FORMAT_VERSION);
  writer.uints(ascending(configuration.voters));
  writer.uints(ascending(configuration.votersOutgoing));
  writer.uints(ascending(configuration.learners));
  writer.uints(ascending(configuration.learnersNext));
  const ids = ascending(Object.keys(configuration.addresses).map(Number));
  writer.uint(ids.length);
  for (const id of ids) {
    writer.uint(id);
    writer.text(configuration.addresses[id]);
  }
  return writer.finish();
}

function decodeIds(reader: ByteReader): NodeId[] {
  const ids = reader.uints();
  let previous = 0;
  for (const id of ids) {
    if (id <= previous) throw new DecodeError("Cannot decode members: not ascending");
    previous = id;
  }
  return ids;
}

/** The configuration in `bytes`. Throws DecodeError when they are none. */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version !== FORMAT_VERSION) {
    throw new DecodeError(`Cannot decode a configuration: version ${version} is unknown`);
  }
  const voters = decodeIds(reader);
  const votersOutgoing = decodeIds(reader);
  const learners = decodeIds(reader);
  const learnersNext = decodeIds(reader);
  const count = reader.count(2);
  const addresses: Record<number, string> = {};
  let previous = 0;
  for (let at = 0; at < count; at++) {
    const id = reader.uint();
    if (id <= previous) throw new DecodeError("Cannot decode addresses: not ascending");
    previous = id;
    addresses[id] = reader.text();
  }
  reader.finish();
  for (const id of learners) {
    if (voters.includes(id) || votersOutgoing.includes(id)) {
      throw new DecodeError(`Cannot decode a configuration: ${id} is both voter and learner`);
    }
  }
  return { voters, votersOutgoing, learners, learnersNext, addresses };
}
