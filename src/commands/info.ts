import type { Bytes } from "../base/bytes.ts";
import { type Reply, VerbatimReply } from "../resp/reply.ts";
import type { LocalContext } from "./local_context.ts";

/** A section of INFO: its title ("Server") and its lines, each a name and a value. */
export interface InfoSection {
  readonly title: string;
  readonly lines: readonly (readonly [name: string, value: string | number | bigint])[];
}

/** INFO [section …]. No section is as "default". */
export function info({ node }: LocalContext, argv: readonly Bytes[]): Reply {
  const sections = argv.length === 1
    ? ["default"]
    : [...new Set(argv.slice(1).map((name) => name.toLowerCase()))];
  return new VerbatimReply("txt", node.info(sections));
}

/**
 * The names of the sections to show, in their own order. `available`: in lower case; `extra`:
 * those of them that only "all", "everything" or their own name bring.
 */
export function selectInfoSections(
  requested: readonly string[],
  available: readonly string[],
  extra: readonly string[] = ["commandstats", "latencystats"],
): readonly string[] {
  const all = requested.includes("all") || requested.includes("everything");
  const usual = requested.includes("default");
  return available.filter((name) =>
    all || requested.includes(name) || (usual && !extra.includes(name))
  );
}

/** The text of INFO: sections parted by an empty line. */
export function formatInfo(sections: readonly InfoSection[]): Bytes {
  return sections.map(({ title, lines }) =>
    `# ${title}\r\n` + lines.map(([name, value]) => `${name}:${value}\r\n`).join("")
  ).join("\r\n");
}
