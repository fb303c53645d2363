import type { Paint } from './paint.ts';

// What a servlet's name or a visitor's URL could do to a terminal.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001F\u007F-\u009F]/g;

/** Rows under their heads, in columns as wide as they must be. A head that begins with `>` has its column to the right. */
export function renderTable(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  paint: Paint,
): string {
  const isRight = heads.map((head) => head.startsWith('>'));
  const names = heads.map((head) => head.replace(/^>/, ''));
  const texts = rows.map((row) => row.map((value) => String(value).replace(CONTROL, '�')));
  const widths = names.map((name, at) => Math.max(name.length, ...texts.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) =>
        isRight[at] === true ? cell.padStart(widths[at] as number) : cell.padEnd(widths[at] as number),
      )
      .join('  ')
      .trimEnd();
  return [paint('dim', line(names)), ...texts.map(line)].join('\n');
}
