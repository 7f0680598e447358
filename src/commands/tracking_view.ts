import type { Bytes } from "../base/bytes.ts";

/** What CLIENT TRACKING ON asks for. */
export interface TrackingOptions {
  /** Id of the connection that is told instead; 0: none. */
  readonly redirect: number;
  readonly bcast: boolean;
  readonly optin: boolean;
  readonly optout: boolean;
  readonly noloop: boolean;
  readonly prefixes: readonly Bytes[];
}

/** What a connection tracks. */
export interface TrackingState extends TrackingOptions {
  /** CLIENT CACHING was given for the next command. */
  isCaching: boolean;
  /** The connection that is told instead is gone. */
  isBroken: boolean;
}
