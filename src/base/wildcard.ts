/**
 * Whether `host` means "every address of this machine", which nobody can connect to: 0.0.0.0 and ::
 * in any of their spellings (resolvers take "0" and "0x0.0", too), and "*".
 */
export function isWildcard(host: string): boolean {
  return WILDCARD.test(host);
}

const WILDCARD =
  /^(?:\*|(?:0x)?0+(?:\.(?:0x)?0+){0,3}|[0:]*:[0:]*|[0:]*:ffff:(?:0+\.0+\.0+\.0+|0+:0+))$/i;
