import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CompiledServlet } from './compiled-servlet.ts';

const NAMES = ['a', 'b', 'c'] as const;

/** A page with two ways on for each of three cells, which set it before or after the suspension; and one that sets none. */
const SERVLET = `
  import { html, sendSuspendDispatch, webCell } from '@custodian/worker';
  const cells = { a: webCell(0), b: webCell(0), c: webCell(0) };
  export default async () => {
    for (;;) {
      const [name, value] = await sendSuspendDispatch((embed) => html\`\${Object.values(cells).map((cell) => cell.get()).join()}
        \${Object.keys(cells).map((name) => html\`
          \${embed((request) => { cells[name].shadow(Number(request.query.get('n'))); return []; })}
          \${embed((request) => [name, Number(request.query.get('n'))])}\`)}
        \${embed(() => [])}\`);
      if (name !== undefined) cells[name].shadow(value);
    }
  };`;

interface Step {
  /** Which of the pages that were seen so far is answered. */
  from: number;
  /** Which of its ways on. */
  way: number;
}

test('webCell() holds on each page what was set on the way to it, in whatever order pages are answered', async () => {
  const servlet = await CompiledServlet.load(SERVLET);
  const step: fc.Arbitrary<Step> = fc.record({ from: fc.nat(1000), way: fc.nat(NAMES.length * 2) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const pages = [{ text: await servlet.text('/s'), cells: [0, 0, 0] }];
      for (const [index, { from, way }] of steps.entries()) {
        const page = pages[from % pages.length]!;
        const cells = [...page.cells];
        if (way < NAMES.length * 2) cells[Math.floor(way / 2)] = index + 1;
        pages.push({ text: await servlet.follow(page.text, `?n=${index + 1}`, way), cells });
        expect(pages.at(-1)!.text.split(/\s/)[0]).toBe(cells.join());
      }
    }),
    { numRuns: 60 },
  );
});

test('webCell() outside of a request is an error', async () => {
  const servlet = await CompiledServlet.load(`
    import { webCell } from '@custodian/worker';
    export const cell = webCell(1);
    export default () => String(cell.get());`);
  expect(await servlet.text('/s')).toBe('1');
  const cell = servlet.exports['cell'] as { get(): number; shadow(value: number): void };
  expect(() => cell.get()).toThrow(expect.objectContaining({ code: 'SERVLET_NO_PROMPT' }));
  expect(() => cell.shadow(2)).toThrow(expect.objectContaining({ code: 'SERVLET_NO_PROMPT' }));
});
