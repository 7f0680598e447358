/** A value of a graph, and what is written below it, downwards. */
export interface GraphPoint {
  readonly value: number;
  readonly label: string;
}

/** Columns of one graph; what is beyond goes into further ones below it. */
const COLUMNS = 80;
const ROWS = 4;
/** What the top of a column may look like, low to high; below it stand bars. */
const TOPS = "_o#";
const STEPS = ROWS * TOPS.length;

/** The graph that Redis draws of these points, each line with its end. */
export function sparkline(points: readonly GraphPoint[]): string {
  const values = points.map(({ value }) => value);
  const min = Math.min(...values);
  const range = Math.max(...values) - min || 1;
  const stepOf = ({ value }: GraphPoint) =>
    Math.min(STEPS - 1, Math.trunc((value - min) * STEPS / range));
  const graphs: string[] = [];
  for (let from = 0; from < points.length; from += COLUMNS) {
    graphs.push(graphOf(points.slice(from, from + COLUMNS), stepOf));
  }
  return graphs.join("\n");
}

function graphOf(points: readonly GraphPoint[], stepOf: (point: GraphPoint) => number): string {
  const lines: string[] = [];
  for (let row = ROWS - 1; row >= 0; row--) {
    lines.push(points.map((point) => cell(stepOf(point) - row * TOPS.length)).join(""));
  }
  lines.push(" ".repeat(points.length));
  const labelLength = Math.max(...points.map(({ label }) => label.length));
  for (let at = 0; at < labelLength; at++) {
    lines.push(points.map(({ label }) => label[at] ?? " ").join(""));
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** What a column shows in a row, `height` steps above whose lower edge it ends. */
function cell(height: number): string {
  if (height < 0) return " ";
  return TOPS[height] ?? "|";
}
