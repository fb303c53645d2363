import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SOURCE = new URL('../../../packages/worker/src/', import.meta.url).href;
const EXAMPLES = new URL('../../../examples/', import.meta.url).href;

/** Runs a module in a fresh Node, as a thread would be, and reads the JSON that it prints. */
async function run(code: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
    cwd: tmpdir(),
  });
  return JSON.parse(stdout);
}

const LOAD = `
  import { installResolver, loadServlet } from '${SOURCE}servlet/load.ts';
  import { ServletRequest } from '${SOURCE}http/request.ts';
  import { toReply } from '${SOURCE}http/reply.ts';
  installResolver();
  const head = (method, url, rawHeaders = []) => ({ method, url, clientIp: '::1', rawHeaders, hasBody: method === 'POST' });
  const textOf = async (reply) => typeof reply.body === 'string' ? reply.body : Buffer.from(reply.body).toString();
  async function answer(servlet, method = 'GET', url = '/', rawHeaders, body = null) {
    const pieces = [body];
    const source = { next: async () => { const piece = pieces.shift(); return piece ? Buffer.from(piece) : null; } };
    const request = new ServletRequest(head(method, url, rawHeaders), body === null ? null : source);
    const reply = await toReply(await servlet.handle(request), 's');
    return [reply.status, reply.headerLines, await textOf(reply)];
  }
`;

const MODULES: Record<string, string> = {
  'function.ts': `import { html, type ServletRequest } from '@custodian/worker';
    export default (request: ServletRequest) => html\`<p>\${request.path}\`;`,
  'start.mjs': `export function start() { return 'started'; }`,
  'both.mjs': `export default () => 'default'; export function start() { return 'start'; }`,
  'common.cjs': `const { json } = require('@custodian/worker'); module.exports = () => json(1);`,
  'fetch.mjs': `export default { text: 'mine', fetch(request) { return new Response(this.text + ' ' + request.url); } };`,
  'limits.mjs': `export const limits = { heapMb: 20, cpuMs: 1.5 }; export default () => '';`,
  'nothing.mjs': `export const other = 1;`,
  'number.mjs': `export default 42;`,
  'no-function.mjs': `export const start = {};`,
  'null.mjs': `export default null;`,
  'throws.mjs': `throw new RangeError('no luck');`,
  'throws-text.mjs': `throw 'text';`,
  'syntax.mjs': `export default (`,
  'missing-import.mjs': `import 'not-installed-anywhere';`,
  'limit-name.mjs': `export const limits = { heapMB: 20 }; export default () => '';`,
  'limit-value.mjs': `export const limits = { heapMb: 0 }; export default () => '';`,
  'limit-text.mjs': `export const limits = { heapMb: '50' }; export default () => '';`,
  'limits-list.mjs': `export const limits = 50; export default () => '';`,
};

let directory = '';
let loaded: Record<
  string,
  {
    kind?: string;
    limits?: object;
    answer?: [number, string, string];
    error?: { code: string; message: string; cause: boolean };
  }
> = {};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custodian-load-'));
  await Promise.all(Object.entries(MODULES).map(([name, text]) => writeFile(join(directory, name), text)));
  loaded = (await run(`${LOAD}
    const results = {};
    for (const name of ${JSON.stringify([...Object.keys(MODULES), 'absent.ts'])}) {
      try {
        const servlet = await loadServlet('${pathToFileURL(directory).href}/' + name);
        results[name] = { kind: servlet.kind, limits: servlet.limits, answer: await answer(servlet, 'GET', '/p?q', ['Host', 'a.example']) };
      } catch (error) {
        results[name] = { error: { code: error.code, message: error.message, cause: error.cause !== undefined } };
      }
    }
    console.log(JSON.stringify(results));
  `)) as typeof loaded;
});

afterAll(() => rm(directory, { recursive: true }));

describe('loadServlet()', () => {
  it.each([
    ['function.ts', 'servlet', '<p>/p'],
    ['start.mjs', 'servlet', 'started'],
    ['both.mjs', 'servlet', 'default'],
    ['common.cjs', 'servlet', '1'],
    ['fetch.mjs', 'fetch', 'mine http://a.example/p?q'],
  ])('loadServlet() takes %s as a %s', (name, kind, body) => {
    expect(loaded[name]).toMatchObject({ kind, limits: {} });
    expect(loaded[name]?.answer?.[2]).toBe(body);
  });

  it('loadServlet() reads the limits', () => {
    expect(loaded['limits.mjs']?.limits).toEqual({ heapMb: 20, cpuMs: 1.5 });
  });

  it.each([
    ['nothing.mjs', 'it has no default export; a servlet exports a function, or an object with a function "fetch"'],
    ['number.mjs', 'its default export is neither a function nor an object with a function "fetch"'],
    ['no-function.mjs', 'its export "start" is neither a function nor an object with a function "fetch"'],
    ['null.mjs', 'its default export is neither a function nor an object with a function "fetch"'],
    ['throws.mjs', 'importing it failed with RangeError: no luck'],
    ['throws-text.mjs', 'importing it failed with a thrown value'],
    ['syntax.mjs', 'importing it failed with SyntaxError: '],
    ['missing-import.mjs', "importing it failed with Error: Cannot find package 'not-installed-anywhere'"],
    ['absent.ts', 'importing it failed with Error: Cannot find module'],
    ['limit-name.mjs', 'it sets a limit "heapMB"; there are heapMb, cpuMs, wallMs'],
    ['limit-value.mjs', 'its limit "heapMb" is not a positive number'],
    ['limit-text.mjs', 'its limit "heapMb" is not a positive number'],
    ['limits-list.mjs', 'its export "limits" is not an object'],
  ])('loadServlet() refuses %s, and names the file', (name, state) => {
    const error = loaded[name]?.error;
    expect(error?.code).toBe('SERVLET_LOAD');
    expect(error?.message).toContain(`Cannot load servlet "${join(directory, name)}": ${state}`);
    expect(error?.cause).toBe(state.startsWith('importing'));
  });

  it('loadServlet() runs an unmodified Hono app', async () => {
    const answers = await run(`${LOAD}
      const hono = await loadServlet('${EXAMPLES}hono.ts');
      console.log(JSON.stringify([
        hono.kind,
        await answer(hono, 'GET', '/hono'),
        await answer(hono, 'GET', '/hono/greet/Ada%20L'),
        await answer(hono, 'POST', '/hono/echo', ['Content-Type', 'text/plain'], 'grüezi'),
        (await answer(hono, 'GET', '/other'))[0],
      ]));
    `);
    expect(answers).toEqual([
      'fetch',
      [200, 'content-type: text/html; charset=UTF-8\r\n', '<!doctype html><title>Hono</title><p>Hello from Hono!</p>'],
      [200, 'content-type: application/json\r\n', '{"hello":"Ada L"}'],
      [200, 'content-type: text/plain;charset=UTF-8\r\n', 'grüezi'],
      404,
    ]);
  });

  it('loadServlet() and a plain servlet leave undici and node:stream/web alone', async () => {
    const modules = await run(`
      const before = new Set(process.moduleLoadList);
      const { installResolver, loadServlet } = await import('${SOURCE}servlet/load.ts');
      const { ServletRequest } = await import('${SOURCE}http/request.ts');
      const { needsForm } = await import('${SOURCE}http/received-body.ts');
      const { toReply } = await import('${SOURCE}http/reply.ts');
      installResolver();
      const servlet = await loadServlet('${EXAMPLES}many.ts');
      const head = { method: 'GET', url: '/many', clientIp: '::1', rawHeaders: [], hasBody: false };
      needsForm(head);
      toReply(servlet.handle(new ServletRequest(head, null)), 'many');
      console.log(JSON.stringify(process.moduleLoadList.filter((name) => !before.has(name))));
    `);
    expect(
      (modules as string[]).filter((name) => /undici|webstreams|http|crypto|zlib|worker_threads/.test(name)),
    ).toEqual([]);
  });
});
