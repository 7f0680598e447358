import { isIP } from "node:net";

export interface PeerAddress {
  readonly host: string;
  /** 0: none was given. */
  readonly port: number;
}

/**
 * "HOST:PORT", with an IPv6 address in brackets; undefined when it is none. A missing port is 0
 * where it may be missing (not behind an IPv6 address).
 */
export function parseAddress(text: string, isPortOptional = false): PeerAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2];
  if (match[1] !== undefined && (isIP(host) !== 6 || match[3] === undefined)) return undefined;
  const port = Number(match[3] ?? 0);
  if (port > 65_535 || (port === 0 && (match[3] !== undefined || !isPortOptional))) {
    return undefined;
  }
  return { host, port };
}

/** The host of "host:port", without brackets. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}
