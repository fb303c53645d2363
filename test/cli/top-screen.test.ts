import { expect, test } from 'vitest';
import { fit } from '../../packages/host/src/cli/operator-commands.ts';
import { renderTable } from '../../packages/host/src/cli/table.ts';
import { cutToWidth, textWidth } from '../../packages/host/src/cli/text-width.ts';

const dim = (text: string): string => `\u001B[2m${text}\u001B[22m`;

test('fit() has as many lines as the screen, none wider than it is, heads with colours in them neither', () => {
  const text = [dim('HEAD '.repeat(40)), ...Array.from({ length: 40 }, (_, at) => `${at} ${'漢字'.repeat(60)}`)].join(
    '\n',
  );
  const lines = fit(text, { rows: 24, columns: 80 }).split('\n');
  expect(lines.pop()).toBe('');
  expect(lines).toHaveLength(23);
  // oxlint-disable-next-line no-control-regex
  for (const line of lines) expect(textWidth(line.replace(/^\u001B\[2K/, ''))).toBeLessThanOrEqual(80);
  expect(lines[0]?.endsWith('\u001B[22m')).toBe(true);
});

test('textWidth() counts columns of a terminal: wide characters two, marks and colours none', () => {
  expect(textWidth('ab')).toBe(2);
  expect(textWidth('漢字')).toBe(4);
  expect(textWidth('e\u0301\u200B')).toBe(1);
  expect(textWidth(dim('ab'))).toBe(2);
  expect(cutToWidth('a漢字', 2)).toBe('a');
  expect(cutToWidth(dim('abc'), 2)).toBe(dim('ab'));
});

test('renderTable() has its columns below one another, whatever is in them', () => {
  const lines = renderTable(
    ['A', '>B'],
    [
      ['漢字', 1],
      ['e\u0301', 22],
    ],
    (_style, text) => text,
  ).split('\n');
  expect(lines.map((line) => textWidth(line))).toEqual([8, 8, 8]);
});
