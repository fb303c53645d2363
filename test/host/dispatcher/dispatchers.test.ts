import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Dispatcher, dispatchers, type Host, serve, type ServeOptions } from '../../../packages/host/src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { WireClient } from '../../support/wire-client.ts';

const { filter, limit, log, method, notFound, path, respond, sequence, site, stat, timeout } = dispatchers;
const hosts: Host[] = [];
const clients: WireClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const host of hosts.splice(0)) {
    await host.close();
    assert.deepEqual(host.custodian.describe(), []);
  }
});

async function serving(list: readonly Dispatcher[], options: ServeOptions = {}): Promise<Host> {
  const host = await serve({ ...options, dispatchers: list });
  hosts.push(host);
  return host;
}

async function connect(host: Host): Promise<WireClient> {
  const client = await WireClient.connect(host.port);
  clients.push(client);
  return client;
}

async function ask(host: Host, request: string): Promise<string> {
  const client = await connect(host);
  client.write(`${request}\r\nConnection: close\r\n\r\n`);
  const response = await client.response();
  return `${response.status} ${response.body.toString()}`;
}

const says = (text: string): Dispatcher => respond(() => text);

describe('the chain of dispatchers', () => {
  it('sequence() tries one after the other, and what all of them pass is not found', async () => {
    const host = await serving([
      sequence(path('/a', says('first')), path('/b', says('second'))),
      path('/a', says('late')),
    ]);
    expect(await ask(host, 'GET /a HTTP/1.1')).toBe('200 first');
    expect(await ask(host, 'GET /b HTTP/1.1')).toBe('200 second');
    expect(await ask(host, 'GET /c HTTP/1.1')).toMatch(/^404 .*<font color="red">Unknown page: \/c<\/font>/);
    expect(host.ledger.refusals.get('REQUEST_NOT_FOUND')).toBe(1);
  });

  it('a dispatcher of the operator’s own answers or passes, at once or later', async () => {
    const host = await serving([
      (pass) => (exchange) =>
        exchange.path === '/coffee' ? exchange.respond({ status: 418, body: 'short and stout' }) : pass(exchange),
      (pass) => async (exchange) => {
        await sleep(20);
        if (exchange.header('x-late') === undefined) pass(exchange);
        else exchange.respond({ headers: { 'X-Two': ['1', '2'] }, body: new Uint8Array([108, 97, 116, 101]) });
      },
      says('the rest'),
    ]);
    expect(await ask(host, 'GET /coffee HTTP/1.1')).toBe('418 short and stout');
    expect(await ask(host, 'GET /tea HTTP/1.1')).toBe('200 the rest');
    const client = await connect(host);
    client.write('GET /tea HTTP/1.1\r\nX-Late: 1\r\n\r\n');
    const response = await client.response();
    expect([response.headers.get('x-two'), response.body.toString()]).toEqual([['1', '2'], 'late']);
  });

  it.each<[string, Dispatcher]>([
    [
      'throws',
      () => () => {
        throw new Error('no tea');
      },
    ],
    ['rejects', () => () => Promise.reject(new Error('no tea'))],
    ['answers with a header that is none', respond(() => ({ headers: { 'X-A': 'a\r\nX-B: b' } }))],
    ['answers with a status that is none', respond(() => ({ status: 42 }))],
    ['answers late with what is none', respond(() => Promise.resolve({ body: 5 } as never))],
  ])('a dispatcher that %s costs only its own request', async (_name, dispatcher) => {
    const host = await serving([path('/tea', dispatcher), says('fine')]);
    expect(await ask(host, 'GET /tea HTTP/1.1')).toMatch(/^500 .*CUSTODIAN_DISPATCHER/s);
    expect(await ask(host, 'GET /else HTTP/1.1')).toBe('200 fine');
  });

  it('filter() looks for its regexp in the decoded path, without parameters and query', async () => {
    const host = await serving([filter(/^\/a b\//g, says('in')), says('out')]);
    expect(await ask(host, 'GET /a%20b/c;x=/d?y HTTP/1.1')).toBe('200 in');
    expect(await ask(host, 'GET /a%20b/c HTTP/1.1')).toBe('200 in');
    expect(await ask(host, 'GET /x?/a%20b/ HTTP/1.1')).toBe('200 out');
    expect(await ask(host, 'GET /a%20b/../c HTTP/1.1')).toBe('200 out');
  });

  it('path() wants the very path, and method() the very method', async () => {
    const host = await serving([
      path('/a', method(['PUT', 'DELETE'], says('changed')), method('GET', says('got'))),
      says('out'),
    ]);
    expect(await ask(host, 'GET /a?x HTTP/1.1')).toBe('200 got');
    expect(await ask(host, 'PUT /a HTTP/1.1')).toBe('200 changed');
    expect(await ask(host, 'POST /a HTTP/1.1')).toBe('200 out');
    expect(await ask(host, 'GET /a/ HTTP/1.1')).toBe('200 out');
  });

  it('site() tells hosts apart by name, in any case, with or without a port', async () => {
    const host = await serving([
      site('Example.org:8080', says('with the port')),
      site('example.org', says('example')),
      site('[::1]', says('six')),
      site(/\.example\.net(:\d+)?$/, says('one of many')),
      says('default'),
    ]);
    const from = (name: string): Promise<string> => ask(host, `GET / HTTP/1.1\r\nHost: ${name}`);
    expect(await from('EXAMPLE.org')).toBe('200 example');
    expect(await from('example.org:9')).toBe('200 example');
    expect(await from('example.org.')).toBe('200 example');
    expect(await from('example.org:8080')).toBe('200 with the port');
    expect(await from('[::1]:80')).toBe('200 six');
    expect(await from('a.b.Example.Net:1')).toBe('200 one of many');
    expect(await from('example.org.evil')).toBe('200 default');
    expect(await ask(host, 'GET / HTTP/1.0')).toBe('200 default');
    // The target goes before the header (RFC 9112 §3.2.2).
    expect(await ask(host, 'GET http://example.org/ HTTP/1.1\r\nHost: a.example.net')).toBe('200 example');
  });

  it('timeout() has what comes by wait for longer, or not so long', async () => {
    const host = await serving(
      [
        filter(/^\/short/, timeout(300)),
        (pass) => (exchange) => void (exchange.hasBody || pass(exchange)),
        says('done'),
      ],
      { limits: { bodyTimeoutMs: 60_000 } },
    );
    const client = await connect(host);
    const begun = performance.now();
    client.write('POST /short HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab');
    expect((await client.response()).status).toBe(408);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(() => timeout(0)).toThrow(RangeError);
  });

  it('stat() tells what the host has done, as JSON', async () => {
    const host = await serving([stat('/how')]);
    await ask(host, 'GET /nothing HTTP/1.1');
    const report: unknown = await (await fetch(`${host.url}/how`)).json();
    expect(report).toMatchObject({
      servlets: [],
      refusals: { REQUEST_NOT_FOUND: 1 },
      uptimeMs: expect.any(Number) as number,
    });
    expect(await ask(host, 'GET /how HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4')).toMatch(/^404/);
  });

  it('notFound() answers with what the operator makes of it', async () => {
    const host = await serving([notFound(({ path: asked }) => ({ status: 410, body: `no ${asked}` }))]);
    expect(await ask(host, 'GET /x%20y HTTP/1.1')).toBe('410 no /x y');
  });
});

describe('limit()', () => {
  /** Answers when it is told to. */
  function held(): { dispatcher: Dispatcher; release: () => void; count: () => number } {
    const waiting: (() => void)[] = [];
    return {
      dispatcher: () => (exchange) => void waiting.push(() => exchange.isDone || exchange.respond('done')),
      release: () => waiting.shift()?.(),
      count: () => waiting.length,
    };
  }

  const send = async (host: Host): Promise<WireClient> => {
    const client = await connect(host);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    return client;
  };

  it('limit() has one more wait for another to end', async () => {
    const inner = held();
    const host = await serving([limit({ maxCount: 2 }, inner.dispatcher)]);
    const asking = [await send(host), await send(host)];
    await eventually(inner.count, (count) => count === 2);
    asking.push(await send(host), await send(host));
    await sleep(100);
    expect(inner.count()).toBe(2);
    for (const client of asking) {
      inner.release();
      expect((await client.response()).body.toString()).toBe('done');
    }
  });

  it('limit() lets nobody wait for ever, and forgets who went away', async () => {
    const inner = held();
    const host = await serving([limit({ maxCount: 1 }, inner.dispatcher)], { limits: { queueTimeoutMs: 300 } });
    const first = await send(host);
    await eventually(inner.count, (count) => count === 1);
    const [gone, late] = [await send(host), await send(host)];
    gone.destroy();
    const response = await late.response();
    expect([response.status, response.body.toString()]).toEqual([503, expect.stringContaining('LIMIT_DISPATCHER')]);
    expect(response.headers.get('retry-after')).toEqual(['1']);
    inner.release();
    expect((await first.response()).status).toBe(200);
    const next = await send(host);
    await eventually(inner.count, (count) => count === 1);
    inner.release();
    expect((await next.response()).status).toBe(200);
  });

  it('limit() drops the new one', async () => {
    const inner = held();
    const host = await serving([limit({ maxCount: 1, over: 'drop-new' }, inner.dispatcher)]);
    const first = await send(host);
    await eventually(inner.count, (count) => count === 1);
    expect((await (await send(host)).response()).status).toBe(503);
    inner.release();
    expect((await first.response()).status).toBe(200);
  });

  it('limit() drops the oldest', async () => {
    const inner = held();
    const host = await serving([limit({ maxCount: 1, over: 'drop-old' }, inner.dispatcher)]);
    const first = await send(host);
    await eventually(inner.count, (count) => count === 1);
    const second = await send(host);
    expect((await first.response()).status).toBe(503);
    await eventually(inner.count, (count) => count === 2);
    inner.release();
    inner.release();
    expect((await second.response()).status).toBe(200);
  });

  it('limit() does not count what its inner dispatcher passes', async () => {
    const host = await serving([
      limit({ maxCount: 1, over: 'drop-new' }, path('/a', says('a'))),
      (_pass) => async (exchange) => {
        await sleep(200);
        exchange.respond('passed');
      },
    ]);
    const answers = await Promise.all([
      ask(host, 'GET /x HTTP/1.1'),
      ask(host, 'GET /y HTTP/1.1'),
      ask(host, 'GET /a HTTP/1.1'),
    ]);
    expect(answers).toEqual(['200 passed', '200 passed', '200 a']);
  });

  it('limit() refuses options that are none', () => {
    expect(() => limit({ maxCount: 0 })).toThrow(RangeError);
    expect(() => limit({ maxCount: 1, over: 'kill' as never })).toThrow(TypeError);
    expect(() => limit({ maxCont: 1 } as never)).toThrow('unknown key "maxCont" (did you mean "maxCount"?)');
  });
});

describe('wrong arguments of dispatchers', () => {
  it.each<[string, () => unknown, string]>([
    ['log', () => log({ fiel: 'x' } as never), 'did you mean "file"?'],
    ['log', () => log({ file: 'x', format: 'apache' as never }), 'did you mean "apache-default"?'],
    ['servletsRoot', () => dispatchers.servletsRoot({ root: '/', limit: {} } as never), 'did you mean "limits"?'],
    ['limit', () => limit({ maxCount: undefined } as never), 'maxCount is missing'],
    ['servletsRoot', () => dispatchers.servletsRoot({ root: undefined } as never), 'root is missing'],
    ['passwords', () => dispatchers.passwords([{ relam: 'a' } as never]), 'did you mean "realm"?'],
    ['filter', () => filter('/x' as never), 'no RegExp'],
    ['filter', () => filter(/x/, 'files' as never), 'dispatcher 0 in it is of type string'],
    ['path', () => path('health'), 'does not begin with a slash'],
    ['path', () => path('/x', says('a'), undefined as never), 'dispatcher 1'],
    ['method', () => method('G T'), '"G T"'],
    ['method', () => method(['GET', 5 as never]), '5'],
    ['method', () => method(5 as never), '5'],
    ['site', () => site('', says('a')), 'no name'],
    ['sequence', () => sequence(null as never), 'of type object'],
    ['respond', () => respond('hello' as never), 'no function'],
  ])('%s() throws a TypeError where it is called', (_name, make, part) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(part);
  });
});

describe('log()', () => {
  it('log() writes a line for what comes by, with how it was answered', async () => {
    const lines: string[] = [];
    const file = { write: (line: string) => lines.push(line) };
    const host = await serving([
      site(
        'a.org',
        log({ file, format: ({ url }, { status, bodyBytes }) => `${url} ${status} ${bodyBytes}` }),
        says('a'),
      ),
      says('other'),
    ]);
    await ask(host, 'GET /x HTTP/1.1\r\nHost: b.org');
    await ask(host, 'GET /y HTTP/1.1\r\nHost: a.org');
    expect(lines).toEqual(['/y 200 1\n']);
  });
});
