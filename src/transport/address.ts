/** "host:port", with brackets around an IPv6 host. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Splits "host:port" or "[::1]:port"; throws an Error that names what is wrong. */
export function splitAddress(address: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:\[\]]+)):(\d{1,5})$/.exec(address);
  const port = match === null ? 0 : Number(match[3]);
  if (match === null || port < 1 || port > 65535) {
    throw new Error(`Cannot read the address ${address}: expected HOST:PORT`);
  }
  return { host: match[1] ?? match[2], port };
}

/** Joins them again. */
export function joinAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
