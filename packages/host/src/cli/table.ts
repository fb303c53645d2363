import { plainText } from '../plain-text.ts';
import type { Paint } from './paint.ts';
import { textWidth } from './text-width.ts';

/** Rows under their heads, in columns as wide as they must be. A head that begins with `>` has its column to the right. */
export function renderTable(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  paint: Paint,
): string {
  const isRight = heads.map((head) => head.startsWith('>'));
  const names = heads.map((head) => head.replace(/^>/, ''));
  const texts = rows.map((row) => row.map((value) => plainText(String(value))));
  const widths = names.map((name, at) => Math.max(name.length, ...texts.map((row) => textWidth(row[at] ?? ''))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => {
        const gap = ' '.repeat((widths[at] as number) - textWidth(cell));
        return isRight[at] === true ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd();
  return [paint('dim', line(names)), ...texts.map(line)].join('\n');
}
