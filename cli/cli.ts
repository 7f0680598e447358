/** `balsa cli`. */
export function cli(args: readonly string[]): Promise<number> {
  return Promise.reject(new Error(`Not yet: ${args.length}`));
}
