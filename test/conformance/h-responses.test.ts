import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../../packages/host/src/index.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { type HeldAs, StartedHost } from '../support/started-host.ts';

const SERVLETS = {
  whole: `export default () => ({ headers: { 'X-Own': '1' }, body: '<p>whole</p>' });`,
  pieces: `
    export default () => ({ headers: { 'X-Own': '1' }, body: pieces() });
    async function* pieces() { yield 'one'; yield 'two'; }`,
  fails: `
    export default () => ({ body: pieces() });
    async function* pieces() { yield 'one'; throw new Error('midway'); }`,
  short: `
    export default () => ({ headers: { 'Content-Length': 10 }, body: pieces() });
    async function* pieces() { yield 'one'; }`,
  status: `
    export default ({ query }) =>
      ({ status: Number(query.get('status')), ...(query.has('text') ? { statusText: query.get('text') } : {}), body: 'x' });`,
  redirect: `
    import { redirectTo } from '@custodian/worker';
    export default ({ query }) => redirectTo(query.get('to'), query.get('status') ?? undefined);`,
  throws: `export default () => { throw new Error('<b>oh</b>'); };`,
  nothing: `export default () => 7;`,
};

let started: StartedHost;

beforeAll(async () => {
  const heldAs: HeldAs = Object.fromEntries(
    Object.keys(SERVLETS).map((name) => [name, { cell: 'one', spareThreads: 0 }]),
  );
  started = await StartedHost.start(SERVLETS, { limits: { wallMs: 60_000 } }, heldAs);
});

afterAll(() => started[Symbol.asyncDispose]());

describe('conformance: responses', () => {
  it('C093 a stream is chunked while the connection stays, and ends with it in HTTP/1.0; a whole page has its length', async () => {
    const client = await started.connect();
    for (let count = 0; count < 2; count += 1) {
      const streamed = await client.get('/pieces');
      expect([streamed.headers.get('transfer-encoding'), streamed.headers.get('content-length')]).toEqual([
        ['chunked'],
        undefined,
      ]);
      expect(streamed.body.toString()).toBe('onetwo');
      const whole = await client.get('/whole');
      expect([whole.headers.get('content-length'), whole.body.toString()]).toEqual([['12'], '<p>whole</p>']);
    }
    const old = await started.connect();
    old.write('GET /pieces HTTP/1.0\r\n\r\n');
    const unframed = await old.response();
    expect([unframed.headers.get('transfer-encoding'), unframed.headers.get('connection')]).toEqual([
      undefined,
      ['close'],
    ]);
    expect(unframed.body.toString()).toBe('onetwo');
    const closing = await started.connect();
    closing.write('GET /whole HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect((await closing.response()).headers.get('connection')).toEqual(['close']);
    await closing.closed();
  });

  it.each(['whole', 'pieces'])('C094 HEAD of %s has the status and headers of GET, and no body', async (path) => {
    const client = await started.connect();
    client.write(`HEAD /${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const head = await client.response('HEAD');
    const got = await client.get(`/${path}`);
    for (const { headers } of [head, got]) headers.delete('date');
    // How a body that does not come would be framed is not said.
    got.headers.delete('transfer-encoding');
    expect([head.status, Object.fromEntries(head.headers)]).toEqual([got.status, Object.fromEntries(got.headers)]);
    expect(head.headers.get('x-own')).toEqual(['1']);
  });

  it.each(['fails', 'short'])('C096 a stream that %s is cut: no last chunk, no whole body', async (path) => {
    const client = await started.connect();
    client.write(`GET /${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const all = (await client.rest()).toString();
    expect(all).toContain('one');
    expect(all.endsWith('0\r\n\r\n')).toBe(false);
    expect(client.isEnded).toBe(true);
  });

  it.each([
    ['status=299', 299, 'OK'],
    ['status=404', 404, 'Not Found'],
    ['status=404&text=Nowhere', 404, 'Nowhere'],
    ['status=99', 500, 'Internal Server Error'],
    ['status=1000', 500, 'Internal Server Error'],
  ])('C098 a response with %s is answered with %d %s', async (query, status, reason) => {
    const client = await started.connect();
    const response = await client.get(`/status?${query}`);
    expect([response.status, response.reason]).toEqual([status, reason]);
  });

  it.each([
    ['', 302, 'Found'],
    ['permanently', 301, 'Moved Permanently'],
    ['temporarily', 302, 'Found'],
    ['see-other', 303, 'See Other'],
    ['same-method', 307, 'Temporary Redirect'],
  ])('C099 redirectTo() with "%s" is %d %s, its Location as it was given', async (name, status, reason) => {
    const client = await started.connect();
    const response = await client.get(`/redirect?to=/x%3Fa=%2520b${name === '' ? '' : `&status=${name}`}`);
    expect([response.status, response.reason, response.headers.get('location')]).toEqual([
      status,
      reason,
      ['/x?a=%20b'],
    ]);
    expect([response.headers.get('content-type'), response.body.length]).toEqual([undefined, 0]);
  });

  it('C099 redirectTo() refuses an empty address', async () => {
    const client = await started.connect();
    expect((await client.get('/redirect?to=')).status).toBe(500);
  });

  it('C100 an exception, and a result that is no response, are 500, and the message is escaped', async () => {
    const client = await started.connect();
    client.write('GET /throws HTTP/1.1\r\nHost: a\r\n\r\n');
    const thrown = await client.response();
    expect([thrown.status, thrown.reason]).toEqual([500, 'Internal Server Error']);
    expect(thrown.body.toString()).not.toContain('<b>oh</b>');
    expect(thrown.body.toString()).toContain('&#60;b&#62;oh');
    const other = await started.connect();
    const wrong = await other.get('/nothing');
    expect([wrong.status, wrong.body.toString().includes('nothing')]).toEqual([500, true]);
  });

  it('C100 a responder of the operator’s own answers both in the place of the host’s page', async () => {
    using servlets = new ServletDirectory({ throws: SERVLETS.throws, nothing: SERVLETS.nothing });
    await using own = await serve({
      servlets: servlets.path,
      servletResponder: ({ path }, { code }) => ({ status: 503, body: `own page for ${path}: ${code}` }),
    });
    for (const path of ['/throws', '/nothing']) {
      const response = await fetch(own.url + path);
      expect([response.status, await response.text()]).toEqual([503, `own page for ${path}: SERVLET_ERROR`]);
    }
  });
});
