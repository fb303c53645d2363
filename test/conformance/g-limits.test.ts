import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StartedHost } from '../support/started-host.ts';

const ECHO = `
  export default async (request) => {
    for await (const piece of request.body ?? []);
    return request.method + ' ' + request.url;
  };`;
const SLEEPER = `
  export default (request) => new Promise((resolve) => setTimeout(resolve, Number(request.query.get('ms')), 'awake'));`;
const TIMEOUT_MS = 1000;
/** The clocks are looked at a few times a second, on a machine that may be busy. */
const TOLERANCE_MS = 1000;

/** Each only waits, and none makes another wait: they do it at the same time. */
describe.concurrent('G. clients that take their time', () => {
  let started: StartedHost;
  beforeAll(async () => {
    const limits = { headTimeoutMs: TIMEOUT_MS, bodyTimeoutMs: TIMEOUT_MS, keepAliveTimeoutMs: TIMEOUT_MS };
    started = await StartedHost.start({ echo: ECHO }, { limits });
    await started.warm('/echo');
  });
  afterAll(() => started[Symbol.asyncDispose]());

  it.each([
    ['half a request line', 'GET /ec', 408],
    ['half a body', 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello', 408],
    ['nothing', '', 408],
    ['nothing more, after a request', 'GET /echo HTTP/1.1\r\nHost: a\r\n\r\n', 0],
  ])('C088 a client that sends %s is closed at the timeout', async (_name, bytes, status) => {
    const client = await started.connect();
    client.write(bytes);
    if (status === 0) await client.response();
    const begun = performance.now();
    const rest = (await client.rest()).toString('latin1');
    const tookMs = client.lastEventAt - begun;
    expect(tookMs).toBeGreaterThan(TIMEOUT_MS - TOLERANCE_MS / 2);
    expect(tookMs).toBeLessThan(TIMEOUT_MS + TOLERANCE_MS);
    // Where Racket closes without a word, HTTP has one; an idle connection is closed quietly.
    expect(rest).toMatch(status === 0 ? /^$/ : new RegExp(`^HTTP/1\\.1 ${status} `));
  });
});

describe('G. requests that take their time, or are odd', () => {
  let odd: StartedHost;
  beforeAll(async () => {
    odd = await StartedHost.start(
      { index: ECHO, sleeper: SLEEPER },
      {},
      { index: { mount: '' }, sleeper: { limits: { wallMs: TIMEOUT_MS } } },
    );
    await odd.warm('/', '/sleeper?ms=1');
  });
  afterAll(() => odd[Symbol.asyncDispose]());

  it('C089 a servlet that does not begin to answer in time is stopped, and its visitor is told', async () => {
    expect(await (await fetch(`${odd.url}/sleeper?ms=300`)).text()).toBe('awake');
    const begun = performance.now();
    const late = await fetch(`${odd.url}/sleeper?ms=20000`);
    expect([late.status, await late.text()]).toEqual([504, expect.stringContaining('LIMIT_WALL')]);
    const tookMs = performance.now() - begun;
    expect(tookMs).toBeGreaterThan(TIMEOUT_MS - 50);
    expect(tookMs).toBeLessThan(TIMEOUT_MS + TOLERANCE_MS);
    expect(await (await fetch(`${odd.url}/sleeper?ms=1`)).text()).toBe('awake');
  });

  it.each([
    ['HTTP/1.1 without Host', 'GET /index HTTP/1.1\r\nConnection: close\r\n\r\n', 'GET /index'],
    [
      'an absolute URL',
      'GET http://elsewhere.example/index?x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      'GET http://elsewhere.example/index?x',
    ],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'OPTIONS *'],
    ['another version 1.x', 'GET /index HTTP/1.0\r\n\r\n', 'GET /index'],
  ])('C091 %s reaches the servlet', async (_name, bytes, seen) => {
    const client = await odd.connect();
    client.write(bytes.replace('/index', '/'));
    expect((await client.response()).body.toString()).toBe(seen.replace('/index', '/'));
  });

  it('C091 a method in lower case is another method, and none that there is', async () => {
    const client = await odd.connect();
    client.write('get / HTTP/1.1\r\nHost: a\r\n\r\n');
    // Racket lets it through; methods are case-sensitive (RFC 9110 §9.1), and Node's parser knows those that there are.
    expect((await client.rest()).toString('latin1')).toMatch(/^HTTP\/1\.1 400 /);
  });
});
