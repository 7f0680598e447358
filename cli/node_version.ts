/** Why Balsa cannot run on this program, or undefined. Takes `process.versions`. */
export function nodeVersionProblem(
  versions: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (versions.bun !== undefined || versions.deno !== undefined) return undefined;
  const [major] = (versions.node ?? "0").split(".").map(Number);
  if (major >= 22) return undefined;
  return `Node.js ${versions.node} is too old: Balsa needs Node.js 22 or newer, Bun or Deno ` +
    '("npm start" runs it on the Bun that npm installed)';
}
