import type { ContainerCommand, DataCommand, LocalCommand } from "./command.ts";

/** What runs a command on the connection or the node. */
export type LocalRun = LocalCommand["run"];

/** A command on the connection or the node. `noAuth`: allowed before authentication. */
export function localCommand(
  name: string,
  arity: number,
  run: LocalRun,
  noAuth = false,
): LocalCommand {
  return { name, arity, path: "local", run, noAuth };
}

/** A container of local subcommands, each as name, arity and function. */
export function localContainer(
  name: string,
  subcommands: readonly (readonly [name: string, arity: number, run: LocalRun])[],
  more: readonly (readonly [name: string, command: DataCommand])[] = [],
): ContainerCommand {
  return {
    name,
    arity: -2,
    path: "container",
    subcommands: new Map<string, DataCommand | LocalCommand>([
      ...subcommands.map(([sub, arity, run]) =>
        [sub, localCommand(`${name}|${sub}`, arity, run)] as const
      ),
      ...more,
    ]),
  };
}
