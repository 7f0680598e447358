import { type Clock, SYSTEM_CLOCK } from "../base/clock.ts";
import { type Entropy, SYSTEM_ENTROPY } from "../base/entropy.ts";
import { type Net, SYSTEM_NET } from "../transport/net.ts";

/**
 * What a node asks of the world beside its disk (server/node_storage.ts): the simulator in
 * test/simulator puts its own in place.
 */
export interface Outside {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly net: Net;
  /** Calls back once the sockets that are ready now have been read. */
  schedule(turn: () => void): void;
}

export const SYSTEM: Outside = {
  clock: SYSTEM_CLOCK,
  entropy: SYSTEM_ENTROPY,
  net: SYSTEM_NET,
  schedule: (turn) => {
    setImmediate(turn);
  },
};
