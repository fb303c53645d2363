import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { serve } from '../../packages/host/src/index.ts';
import { eventually } from '../support/eventually.ts';
import { FileTree } from '../support/file-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, Visitor } from '../support/visitor.ts';
import { WireClient } from '../support/wire-client.ts';

const run = promisify(execFile);
const hasCurl: boolean = await run('curl', ['--version']).then(
  () => true,
  () => {
    console.warn('skipped: there is no curl here');
    return false;
  },
);

/** What curl shows of a page: its head, and its body. */
async function curl(...args: string[]): Promise<{ status: number; head: string; body: string }> {
  const { stdout } = await run('curl', ['--silent', '--show-error', '--include', '--path-as-is', ...args], {
    encoding: 'latin1',
  });
  const [head = '', ...rest] = stdout.split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body: rest.join('\r\n\r\n') };
}

describe('I. files and the server', () => {
  it.skipIf(!hasCurl)(
    'C114 static files: ranges, directories, other methods, HEAD, unknown endings, by curl',
    async () => {
      using tree = new FileTree({ 'digits.txt': '0123456789', 'dir/index.html': 'index', 'file.unheard': 'x' });
      await using host = await serve({ extraFilesPaths: [tree.path] });
      const url = `${host.url}/digits.txt`;
      for (const [range, body, contentRange] of [
        ['0-4', '01234', 'bytes 0-4/10'],
        ['5-', '56789', 'bytes 5-9/10'],
        ['-3', '789', 'bytes 7-9/10'],
        ['0-100', '0123456789', 'bytes 0-9/10'],
      ] as const) {
        const answer = await curl('--range', range, url);
        expect([answer.status, answer.body]).toEqual([206, body]);
        expect(answer.head).toContain(`Content-Range: ${contentRange}`);
      }
      const parts = await curl('--range', '0-1,4-5', url);
      expect(parts.status).toBe(206);
      expect(parts.head).toContain('multipart/byteranges');
      expect(parts.body.match(/Content-Range: bytes \d-\d\/10/g)).toEqual([
        'Content-Range: bytes 0-1/10',
        'Content-Range: bytes 4-5/10',
      ]);
      const beyond = await curl('--range', '100-200', url);
      expect(beyond.status).toBe(416);
      expect(beyond.head).toContain('Content-Range: bytes */10');
      expect(await curl('--header', 'Range: junk', url)).toMatchObject({ status: 200, body: '0123456789' });
      const directory = await curl(`${host.url}/dir`);
      expect(directory.status).toBe(302);
      expect(directory.head).toContain('Location: /dir/');
      expect(await curl('--location', `${host.url}/dir`)).toMatchObject({
        body: expect.stringMatching(/index$/) as string,
      });
      expect((await curl('--data', 'a=1', url)).status).toBe(404);
      const head = await curl('--head', url);
      expect([head.status, head.body]).toEqual([200, '']);
      expect(head.head).toContain('Content-Length: 10');
      expect((await curl(`${host.url}/file.unheard`)).head).not.toMatch(/content-type/i);
      expect((await curl(`${host.url}/../../etc/passwd`)).status).toBe(404);
    },
  );

  it('C116 passwords: none 401, wrong 401, right passes with the name in any case', async () => {
    using servlets = new ServletDirectory({
      secret: `export default () => 'hidden';`,
      open: `export default () => 'open';`,
    });
    await using host = await serve({
      servlets: servlets.path,
      passwords: [{ realm: 'Secret', path: '^/secret', users: { jay: 'p:q' } }],
    });
    const get = async (path: string, credentials?: string): Promise<Response> =>
      fetch(host.url + path, {
        headers:
          credentials === undefined ? {} : { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
      });
    const asked = await get('/secret');
    expect([asked.status, asked.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="Secret", charset="UTF-8"',
    ]);
    expect(await asked.text()).toContain('Authorization Required');
    expect((await get('/secret', 'jay:p')).status).toBe(401);
    expect(await (await get('/secret', 'JAY:p:q')).text()).toBe('hidden');
    expect(await (await get('/open')).text()).toBe('open');
  });

  it('C117 refresh-servlets: old text until then, globals anew, an old URL in its old code', async () => {
    const code = (word: string): string => `
      import { sendSuspend } from '@custodian/worker';
      let count = 0;
      export default async () => {
        const text = '${word} ' + ++count;
        await sendSuspend((url) => text + ' <a href="' + url + '">on</a>');
        return '${word} went on';
      };`;
    using tree = new FileTree({ 'v2.mjs': code('old') });
    await using host = await serve({ servletsRoot: tree.path });
    const visitor = new Visitor(host.url);
    const first = await visitor.get('/v2.mjs/extra');
    expect(first.text).toMatch(/^old 1 /);
    tree.write('v2.mjs', code('new'));
    expect((await visitor.get('/v2.mjs')).text).toMatch(/^old \d /);
    expect((await visitor.get('/conf/refresh-servlets')).status).toBe(200);
    expect((await visitor.get('/v2.mjs')).text).toMatch(/^new 1 /);
    const [link = ''] = continuationsOf(first);
    expect(link).toContain('/v2.mjs/extra;k=');
    expect((await visitor.get(link)).text).toBe('old went on');
  });

  it('C118 /quit says "Server Stopped" and the port is closed soon, even if the servlet matches everything', async () => {
    using servlets = new ServletDirectory({
      all: `export default (request) => request.url === '/never' ? new Promise(() => {}) : 'mine';`,
    });
    await using host = await serve({ servlets: servlets.file('all'), servletRegexp: '', quit: true });
    expect(await (await fetch(`${host.url}/quitter`)).text()).toBe('mine');
    expect(await (await fetch(`${host.url}/quit`, { method: 'POST' })).text()).toBe('mine');
    expect(await (await fetch(`${host.url}/quit`, { headers: { 'X-Forwarded-For': '203.0.113.5' } })).text()).toBe(
      'mine',
    );
    expect(await (await fetch(`${host.url}/quit`, { headers: { 'Sec-Fetch-Site': 'cross-site' } })).text()).toBe(
      'mine',
    );
    const [stuck, asking] = [await WireClient.connect(host.port), await WireClient.connect(host.port)];
    stuck.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    await sleep(100);
    const begun = performance.now();
    const answer = await asking.get('/quit');
    expect([answer.status, answer.body.toString()]).toEqual([200, expect.stringContaining('Server Stopped')]);
    await eventually(
      () =>
        WireClient.connect(host.port).then(
          (client) => (client.destroy(), 'open'),
          () => 'closed',
        ),
      (state) => state === 'closed',
    );
    await host.closed;
    expect(performance.now() - begun).toBeLessThan(3000);
    expect(stuck.isEnded || stuck.error !== null || (await stuck.rest()).length === 0).toBe(true);
    stuck.destroy();
    asking.destroy();
  });

  it('C118 without quit it is a page like any other', async () => {
    await using host = await serve({});
    expect((await fetch(`${host.url}/quit`)).status).toBe(404);
  });

  it('C120 a graceful stop waits for a running stream, and a second one does not', async () => {
    const lines = `export default () => ({ body: (async function* () {
      for (let i = 0; i < 5; i++) { yield 'line\\n'; await new Promise((resolve) => setTimeout(resolve, 400)); }
    })() });`;
    for (const isPatient of [true, false]) {
      await using started = await StartedHost.start({ lines, hello: `export default () => 'hello';` });
      const client = await started.connect();
      client.write('GET /lines HTTP/1.0\r\n\r\n');
      await eventually(
        () => client.receivedBytes,
        (bytes) => bytes > 0,
        { ms: 20_000 },
      );
      const begun = performance.now();
      const closing = started.close({ graceMs: 10_000 });
      await expect(started.connect()).rejects.toThrow('ECONNREFUSED');
      if (!isPatient) await started.close();
      await closing;
      expect((await client.rest()).toString().match(/line/g)?.length === 5).toBe(isPatient);
      // Five lines take two seconds.
      expect(performance.now() - begun < 1500).toBe(!isPatient);
    }
  });

  it('C121 a servlet that exits ends its own thread; the server and other sessions live on', async () => {
    const session = `
      import { sendSuspend } from '@custodian/worker';
      export default async () => {
        await sendSuspend((url) => '<a href="' + url + '">on</a>');
        return 'alive';
      };`;
    await using started = await StartedHost.start({ exits: `export default () => process.exit(0);`, session });
    const visitor = new Visitor(started.url);
    const page = await visitor.get('/session');
    // Where Racket closes the connection without a word, there is one.
    const exited = await visitor.get('/exits');
    expect([exited.status, exited.text]).toEqual([500, expect.stringContaining('SERVLET_CRASH')]);
    expect((await visitor.follow(page)).text).toBe('alive');
  });
});
