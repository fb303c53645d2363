import { describe, expect, expectTypeOf, test } from 'vitest';
import { embedUrl, getBinding, getBindings, type FileBinding, type Html, page } from '@custodian/worker';
import { BOUNDARY, formBody } from '../../support/form-body.ts';
import { StartedHost } from '../../support/started-host.ts';
import { CompiledServlet } from './compiled-servlet.ts';
import { StatelessProgram } from './stateless-program.ts';

const COUNTER = `
  import { embedUrl, html, page } from '@custodian/worker';
  const counter = page((request, count) => html\`\${count} \${step(count, 1)} \${step(count, -1)}\`);
  const step = (count, by) => embedUrl((next) => counter(next, count + by));
  export default (request) => counter(request, 0);`;

describe('page()', () => {
  test('page() leads to itself, with Back and second windows', async () => {
    const servlet = await CompiledServlet.load(COUNTER);
    const zero = await servlet.text('/s');
    const one = await servlet.follow(zero);
    expect(one).toMatch(/^1 /);
    expect(await servlet.follow(one)).toMatch(/^2 /);
    expect(await servlet.follow(zero, '', 1)).toMatch(/^-1 /);
    expect(await servlet.follow(zero)).toMatch(/^1 /);
  });

  test('page() is the same in a stateless servlet, in any thread', async () => {
    const program = await StatelessProgram.load(COUNTER);
    const one = await program.follow(await program.text('/s'));
    expect(one).toMatch(/^1 /);
    expect(await (await program.elsewhere()).follow(one)).toMatch(/^2 /);
  });

  test('page() returns what the embedded function returns, which need be no response', async () => {
    const servlet = await CompiledServlet.load(`
      import { embedUrl, html, page } from '@custodian/worker';
      const choose = page((request, ...values) => html\`\${values.map((value) => html\`\${embedUrl(() => value)} \`)}\`);
      export default async (request) => html\`\${(await choose(request, 20, 30)) + 1}\`;`);
    const first = await servlet.text('/s');
    expect(await servlet.follow(first, '', 0)).toBe('21');
    expect(await servlet.follow(first, '', 1)).toBe('31');
  });

  test('embedUrl() works in what a page awaits and sends later, and belongs to the page that is made', async () => {
    const servlet = await CompiledServlet.load(`
      import { embedUrl, html, page } from '@custodian/worker';
      const later = async (word) => { await new Promise((resolve) => setTimeout(resolve, 5)); return embedUrl(() => word); };
      const inner = page(async () => html\`\${await later('inner')}\`);
      const outer = page(() => html\`\${later('outer')} \${embedUrl(inner)}\`);
      export default outer;`);
    const first = await servlet.text('/s');
    expect(await servlet.follow(first, '', 0)).toBe('outer');
    expect(await servlet.follow(await servlet.follow(first, '', 1))).toBe('inner');
  });

  test('embedUrl() where no page is made is an error, in the function that it embedded too', async () => {
    expect(() => embedUrl(() => 'x')).toThrow(expect.objectContaining({ code: 'SERVLET_NO_PROMPT' }));
    const servlet = await CompiledServlet.load(`
      import { embedUrl, html, page } from '@custodian/worker';
      const visit = () => { try { return embedUrl(() => 'x'); } catch (error) { return error.code; } };
      export default page(() => html\`\${embedUrl(visit)}\`);`);
    expect(await servlet.follow(await servlet.text('/s'))).toBe('SERVLET_NO_PROMPT');
  });

  test('page() has its parameters and its result typed', () => {
    const ask = page((_request, _label: string, _size: number): Html => null as never);
    expectTypeOf(ask).parameter(1).toEqualTypeOf<string>();
    expectTypeOf(ask).parameter(2).toEqualTypeOf<number>();
    expectTypeOf(page<[label: string], number>(() => '')).returns.resolves.toEqualTypeOf<number>();
  });
});

const SHOW = `
  import { getBinding, getBindings, json } from '@custodian/worker';
  export default async (request) => {
    const formats = {};
    for (const format of ['string', 'bytes', 'file', 'binding'])
      formats[format] = [getBinding('a', { format }), ...getBindings('a', { format, request })].map((found) =>
        found === undefined ? null : found instanceof Uint8Array ? [...found] : typeof found === 'string' ? found : found.filename ?? found.constructor.name);
    return json({ ...formats, other: getBinding('A') ?? null, none: getBindings('none') });
  };`;

describe('getBinding() and getBindings()', () => {
  test('getBinding() finds the first in each format, getBindings() all', async () => {
    await using started = await StartedHost.start({ show: SHOW });
    const seen = async (init: RequestInit, query = ''): Promise<unknown> =>
      (await fetch(`${started.url}/show${query}`, { method: 'POST', ...init })).json();
    const urlencoded = { 'Content-Type': 'application/x-www-form-urlencoded' };
    expect(await seen({ body: 'a=%C3%A9&a=%ff&b=3', headers: urlencoded }, '?a=q')).toEqual({
      string: ['é', 'é', 'q'],
      bytes: [[0xc3, 0xa9], [0xc3, 0xa9], [0xff], [0x71]],
      file: [null],
      binding: ['FormBinding', 'FormBinding', 'FormBinding', 'FormBinding'],
      other: null,
      none: [],
    });
    expect(await seen({ body: 'a=%ff&a=x', headers: urlencoded })).toMatchObject({ string: [null, 'x'] });
    expect(await seen({ body: 'a=%ef%bf%bd', headers: urlencoded })).toMatchObject({ string: ['\ufffd', '\ufffd'] });
    const form = formBody([
      { name: 'a', filename: 'a.txt', content: 'content' },
      { name: 'a', content: 'text' },
      { name: 'a', filename: '', content: '' },
    ]);
    expect(
      await seen({ body: form, headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` } }),
    ).toMatchObject({
      string: [null, 'text'],
      bytes: [null, [0x74, 0x65, 0x78, 0x74]],
      file: ['a.txt', 'a.txt'],
      binding: ['a.txt', 'a.txt', 'FormBinding', ''],
    });
  });

  test('getBinding() reads the request that a page was answered with', async () => {
    const servlet = await CompiledServlet.load(`
      import { getBinding, html, sendSuspend } from '@custodian/worker';
      export default async () => {
        await sendSuspend((url) => html\`\${url} \${getBinding('n') ?? 'nothing'}\`);
        return html\`\${getBinding('n')}\`;
      };`);
    const first = await servlet.text('/s?n=1');
    expect(first).toMatch(/ 1$/);
    expect(await servlet.follow(first, '?n=2')).toBe('2');
  });

  test('getBinding() without a request, or with a format that is none, is an error', () => {
    expect(() => getBinding('a')).toThrow(expect.objectContaining({ code: 'SERVLET_NO_PROMPT' }));
    const request = { bindings: { all: [] } } as never;
    for (const format of ['text', 'toString', 7] as never[]) {
      expect(() => getBinding('a', { request, format })).toThrow(TypeError);
      expect(() => getBindings('a', { request, format })).toThrow(TypeError);
    }
  });

  test('getBinding() has the type of its format', () => {
    expectTypeOf(getBinding<'file'>).returns.toEqualTypeOf<FileBinding | undefined>();
    expectTypeOf(getBindings<'bytes'>).returns.toEqualTypeOf<Uint8Array[]>();
    expectTypeOf(getBinding<'string'>).returns.toEqualTypeOf<string | undefined>();
  });
});
