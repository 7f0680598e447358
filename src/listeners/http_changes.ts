import { percentDecode } from "./http_arguments.ts";
import { ChangeStream, goneProblem, parseCursor } from "./change_stream.ts";
import type { EventSource } from "./event_stream.ts";
import { type ChangeSource, HttpProblem } from "./http_types.ts";

/**
 * What makes the stream that `GET /changes?since=INDEX&prefix=…` asks for; `Last-Event-ID`, which
 * a browser sends when it connects again, comes before `since`. Without either it starts now.
 */
export function changesSource(
  changes: ChangeSource | undefined,
  query: string,
  headers: Headers,
  appliedIndex: number,
): ((wake: () => void) => EventSource) | HttpProblem {
  if (changes === undefined) return NOT_STARTED;
  const given = parameters(query);
  if (given instanceof HttpProblem) return given;
  const from = headers.get("last-event-id") ?? given.get("since");
  const cursor = from === undefined || from === ""
    ? { index: appliedIndex, seen: Infinity }
    : parseCursor(from);
  if (cursor === undefined) {
    return new HttpProblem(400, "ERR since, or Last-Event-ID, must be an index or a former id");
  }
  const gone = goneProblem(changes, cursor);
  if (gone !== undefined) return gone;
  const prefix = given.get("prefix") ?? "";
  return (wake) => new ChangeStream(changes, cursor, prefix, changes.follow(wake));
}

function parameters(query: string): Map<string, string> | HttpProblem {
  const given = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const [name, ...value] = pair.split("=");
    if (name === "_token") continue;
    if (name !== "since" && name !== "prefix") {
      return new HttpProblem(400, `ERR unknown parameter ${JSON.stringify(name)}: since, prefix`);
    }
    const bytes = percentDecode(value.join("=").replaceAll("+", " "));
    if (bytes === undefined) {
      return new HttpProblem(400, `ERR malformed percent-encoding in ${name}`);
    }
    given.set(name, bytes);
  }
  return given;
}

export const NOT_STARTED = new HttpProblem(503, "LOADING This node has not joined its cluster yet");
