import { escapeInvisible } from '../../text/visible-text.ts';

/**
 * Renders columns as wide as their widest cell; columns in `rightAligned` (counted from 0) hold figures. Ends with a line break. Cells
 * are escaped before they are measured, so a line break in a cell does not start a row.
 */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[] = [],
): string {
  const lines = [header, ...rows].map((line) => line.map(escapeInvisible));
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const render = (line: readonly string[]) =>
    line
      .map((cell, column) =>
        rightAligned.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ');
  return lines.map((line) => `${render(line).trimEnd()}\n`).join('');
}
