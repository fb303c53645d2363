import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expressionEnd } from '../../../packages/worker/src/template/expression-end.ts';

describe('expressionEnd()', () => {
  it.each([
    'a',
    '{ a: 1 }',
    'f(() => { return { b: [1, { c: 2 }] }; })',
    '"}"',
    "'\\'}'",
    '`}`',
    '`x${ `}${ {a: "}"} }` }y`',
    'a /* } */ + b',
    'a // }\n + b',
    '/}/.test(a)',
    'a.replace(/[/}]\\}/g, "")',
    'a / b / c',
    '(a) / b + "}"',
    'a[0] / 2',
    'return_ / 2',
    'typeof /}/',
    'items.map((item) => html`<li title="${item.name}">${item.note ?? "}"}</li>`)',
    '{}',
    '`\\`}`',
  ])('expressionEnd() ends %j where it ends', (code) => {
    expect(expressionEnd(`\${${code}} and } more \${x}`, 2)).toBe(2 + code.length);
  });

  it.each(['a', '{', '"a', '"a\n"}', '`a', '`${a`}', '/a', '(', 'a /* }'])(
    'expressionEnd() finds no end of %j',
    (code) => {
      expect(expressionEnd(code, 0)).toBe(-1);
    },
  );

  it('expressionEnd() ends soon, whatever the text', () => {
    const parts = fc.constantFrom('`', '${', '}', '{', '"', "'", '/', '//', '/*', '*/', '\\', '\n', 'a', '(', ')', ' ');
    fc.assert(
      fc.property(
        fc.array(parts, { maxLength: 60 }).map((all) => all.join('')),
        (text) => {
          const end = expressionEnd(text, 0);
          expect(end === -1 || text[end] === '}').toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
