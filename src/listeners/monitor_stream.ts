import type { Monitors } from "../server/monitors.ts";
import { LineStream } from "./line_stream.ts";

/** Each command that the node runs, as MONITOR shows it; the first line is `"OK"`. */
export function monitorStream(monitors: Monitors, wake: () => void): LineStream {
  return new LineStream(wake, (stream) => {
    stream.tell('"OK"');
    return monitors.watch((line) => stream.tell(line));
  });
}
