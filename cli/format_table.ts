/** Rows as columns of text, numbers to the right, without space at the ends of lines. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const isNumeric = rows[0].map((_, column) =>
    rows.slice(1).every((row) => /^(?:\d+|-)$/.test(row[column]))
  );
  return rows.map((row) =>
    row.map((cell, column) =>
      isNumeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])
    ).join("  ").trimEnd()
  ).join("\n");
}
