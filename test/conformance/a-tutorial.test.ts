import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { HostProcess } from '../support/host-process.ts';
import { NeighbourClock } from '../support/neighbour-clock.ts';
import { residentBytes } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { StartedHost } from '../support/started-host.ts';

const TIMEOUT_MS = 1000;
/** The clocks are looked at a few times a second. */
const TOLERANCE_MS = 500;

const HELLO = `export default () => ['html', ['body', 'Hello, world!']];`;
const SLEEPER = `export default () => new Promise((resolve) => setTimeout(resolve, 2000, 'slow'));`;
const MB = 1 << 20;
const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url));

/** The tutorial's server on its examples, which are the tutorial's servlets. */
async function startTutorial(): Promise<HostProcess> {
  const servlets = ['hello', 'many', 'reply', 'sum', 'one', 'two'].map(example);
  return HostProcess.start(process.execPath, { servlets, limits: { heapMb: 50 } });
}

async function page(host: HostProcess, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${host.port}${path}`)).text();
}

function form(html: string): { action: string | undefined; fields: Map<string | undefined, string | undefined> } {
  const attribute = (tag: string, name: string): string | undefined => new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];
  const inputs = html.match(/<input[^>]*>/g) ?? [];
  return {
    action: attribute(/<form[^>]*>/.exec(html)?.[0] ?? '', 'action'),
    fields: new Map(inputs.map((input) => [attribute(input, 'name'), attribute(input, 'value')])),
  };
}

describe('A. the tutorial’s server', () => {
  it('C001 hello: a request of HTTP/1.0 is answered, and then the connection ends', async () => {
    await using started = await StartedHost.start({ hello: HELLO });
    const client = await started.connect();
    client.write('GET /hello HTTP/1.0\r\n\r\n');
    const answer = (await client.rest()).toString('latin1');
    const [head = '', body] = answer.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head).toMatch(/^Content-Type: text\/html/m);
    expect(body).toBe('<html><body>Hello, world!</body></html>');
  });

  it('C003 connections do not wait for each other', async () => {
    await using started = await StartedHost.start({ slow: SLEEPER, fast: HELLO });
    await started.warm('/fast');
    const begun = performance.now();
    const [slow, fast] = [await started.connect(), await started.connect()];
    slow.write('GET /slow HTTP/1.0\r\n\r\n');
    await fast.get('/fast');
    expect(performance.now() - begun).toBeLessThan(300);
    await slow.rest();
    const slowMs = performance.now() - begun;
    expect(slowMs).toBeGreaterThan(1990);
    expect(slowMs).toBeLessThan(2800);
  });

  it('C003 nor do those of one servlet', async () => {
    await using started = await StartedHost.start({
      servlet: `export default (request) => request.url.endsWith('fast') ? 'fast' : new Promise((resolve) => setTimeout(resolve, 2000, 'slow'));`,
    });
    await started.warm('/servlet/fast');
    const [slow, fast] = [await started.connect(), await started.connect()];
    slow.write('GET /servlet/slow HTTP/1.0\r\n\r\n');
    await sleep(100);
    const begun = performance.now();
    await fast.get('/servlet/fast');
    expect(performance.now() - begun).toBeLessThan(300);
    await slow.rest();
  });

  it('C004 a silent client is cut by the watcher, while others are served', async () => {
    await using started = await StartedHost.start({ hello: HELLO }, { limits: { headTimeoutMs: TIMEOUT_MS } });
    await started.warm('/hello');
    const silent = await started.connect();
    const begun = performance.now();
    expect((await (await started.connect()).get('/hello')).status).toBe(200);
    const said = (await silent.rest()).toString('latin1');
    const tookMs = silent.lastEventAt - begun;
    expect(tookMs).toBeGreaterThan(TIMEOUT_MS - TOLERANCE_MS);
    expect(tookMs).toBeLessThan(TIMEOUT_MS + TOLERANCE_MS);
    // Where Racket says nothing, HTTP has a word for it.
    expect(said).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('C006 stop kills active connections', async () => {
    await using started = await StartedHost.start({ hello: HELLO, slow: SLEEPER });
    await started.warm('/hello');
    const [silent, waiting] = [await started.connect(), await started.connect()];
    waiting.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    await sleep(100);
    const begun = performance.now();
    const stopped = started.close();
    await Promise.all([silent.closed(), waiting.closed()]);
    expect(performance.now() - begun).toBeLessThan(500);
    await stopped;
  });

  it('C007 garbage is refused, and the connection ends', async () => {
    await using started = await StartedHost.start({ hello: HELLO });
    const client = await started.connect();
    client.write('\x00\x01garbage\r\n\r\n');
    expect((await client.rest()).toString('latin1')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('C007 a servlet may serve GET alone', async () => {
    await using started = await StartedHost.start({
      hello: `export default (request) => request.method === 'GET' ? 'hello' : { status: 405, headers: { Allow: 'GET' } };`,
    });
    const client = await started.connect();
    client.write('POST /hello HTTP/1.0\r\n\r\n');
    const answer = (await client.rest()).toString('latin1');
    expect(answer).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\nAllow: GET\r\n/);
  });

  it('C009 many asks for a number, and reply shows as many hellos', async () => {
    await using host = await startTutorial();
    const { action, fields } = form(await page(host, '/many'));
    expect([action, [...fields.keys()]]).toEqual(['/reply', ['number', 'hidden', 'enter']]);
    expect((await page(host, '/reply?number=3&hidden=&enter=Enter')).match(/ hello/g)).toHaveLength(3);
  });

  it('C010 sum adds by a hidden field', async () => {
    await using host = await startTutorial();
    expect(form(await page(host, '/sum')).action).toBe('/one');
    const second = form(await page(host, '/one?number=3&hidden=&enter=Enter'));
    expect([second.action, second.fields.get('hidden')]).toEqual(['/two', '3']);
    expect(await page(host, '/two?number=4&hidden=3&enter=Enter')).toContain('The sum is 7');
  });

  it('C013 sum2 by sendSuspend(): each page leads to a fresh address, and the last one has the sum', async () => {
    await using host = await HostProcess.start(process.execPath, { servlets: [example('sum2')] });
    const first = form(await page(host, '/sum2')).action ?? '';
    const second = form(await page(host, `${first}?number=3`)).action ?? '';
    expect([first, second]).toEqual([expect.stringMatching(/^\/sum2;k=/), expect.stringMatching(/^\/sum2;k=/)]);
    expect(second).not.toBe(first);
    expect(await page(host, `${second}?number=4`)).toContain('The sum is 7');
  });

  it('C011 the memory cap kills only its own connection', async () => {
    await using host = await startTutorial();
    await page(host, '/hello');
    await host.ask({ type: 'collect' });
    const atFirst = residentBytes(host.pid).now;
    const clock = new NeighbourClock(host.port, '/hello');
    const answer = await fetch(`http://127.0.0.1:${host.port}/reply?number=50000000&hidden=&enter=Enter`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringMatching(/LIMIT_(?:HEAP|RSS)/)]);
    const reading = await clock.stop();
    expect(reading.failures).toEqual([]);
    expect(reading.count).toBeGreaterThan(3);
    expect(await page(host, '/reply?number=2&hidden=&enter=Enter')).toContain('<body> hello hello</body>');
    expect(await host.obituaries()).toMatchObject([
      { servlet: 'reply', cause: expect.stringMatching(/^(?:heap|rss)$/) },
    ]);
    await host.ask({ type: 'collect' });
    expect((residentBytes(host.pid).now - atFirst) / MB).toBeLessThan(16);
  });

  it('C011 a servlet beside it, in its own file, is not in reach', async () => {
    using directory = new ServletDirectory({
      greedy: `const hoard = []; export default () => { for (;;) hoard.push(new Array(1000).fill(0)); };`,
      count: `let count = 0; export default () => String(++count);`,
    });
    await using host = await HostProcess.start(process.execPath, { servlets: directory.path });
    expect(await page(host, '/count')).toBe('1');
    expect(await page(host, '/greedy')).toMatch(/LIMIT_(?:HEAP|RSS)/);
    expect(await page(host, '/count')).toBe('2');
  });
});
