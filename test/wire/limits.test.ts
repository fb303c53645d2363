import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Limits } from '../../packages/host/src/index.ts';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import type { WireClient, WireResponse } from '../support/wire-client.ts';

const ECHO = `
  export default async function echo(request) {
    let bytes = 0;
    for await (const piece of request.body ?? []) bytes += piece.length;
    return String(bytes);
  }`;
const SLOW = `export default () => new Promise((resolve) => setTimeout(resolve, 300, 'slow'));`;

/** Status and code of a refusal, after which the connection must be closed, not reset. */
async function refusalOf(client: WireClient): Promise<[status: number, code: string | undefined]> {
  const response = await client.response();
  assert.deepEqual(response.headers.get('connection'), ['close']);
  assert.equal((await client.rest()).length, 0);
  assert.equal(client.error, null);
  return [response.status, codeOf(response)];
}

function codeOf({ body }: WireResponse): string | undefined {
  return /<code>(\w+)<\/code>/.exec(body.toString())?.[1];
}

/** One host for all tests of a block: what they do to it is over with their connections. */
function sharedHost(limits: Partial<Limits>): () => StartedHost {
  let host: StartedHost;
  beforeAll(async () => {
    host = await StartedHost.start({ echo: ECHO }, { limits });
    await host.warm('/echo');
  });
  afterAll(() => host[Symbol.asyncDispose]());
  return () => host;
}

describe('limits of a request’s head', () => {
  const host = sharedHost({
    requestLineMaxBytes: 1000,
    headerMaxBytes: 500,
    headersMaxCount: 20,
    headMaxBytes: 4000,
  });

  it.each([
    [
      'a target over requestLineMaxBytes',
      `GET /echo?${'a'.repeat(1000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
      414,
      'LIMIT_REQUEST_LINE',
    ],
    [
      'a target over headMaxBytes',
      `GET /echo?${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
      414,
      'LIMIT_REQUEST_LINE',
    ],
    [
      'headers over headersMaxCount',
      `GET /echo HTTP/1.1\r\n${'X-A: b\r\n'.repeat(21)}\r\n`,
      431,
      'LIMIT_HEADERS_COUNT',
    ],
    ['a header over headerMaxBytes', `GET /echo HTTP/1.1\r\nCookie: ${'a'.repeat(600)}\r\n\r\n`, 431, 'LIMIT_HEADER'],
    [
      'headers over headMaxBytes',
      `GET /echo HTTP/1.1\r\n${`X-A: ${'b'.repeat(400)}\r\n`.repeat(15)}\r\n`,
      431,
      'LIMIT_HEAD',
    ],
    ['a header without an end', `GET /echo HTTP/1.1\r\nX-A: ${'b'.repeat(20_000)}`, 431, 'LIMIT_HEAD'],
  ])('%s is refused', async (_name, request, status, code) => {
    const client = await host().connect();
    client.write(request);
    expect(await refusalOf(client)).toEqual([status, code]);
  });

  it('what is within all of them is answered', async () => {
    const client = await host().connect();
    client.write(`GET /echo?${'a'.repeat(980)} HTTP/1.1\r\n${`X-A: ${'b'.repeat(90)}\r\n`.repeat(20)}\r\n`);
    expect((await client.response()).status).toBe(200);
  });
});

describe('bodyMaxBytes', () => {
  const host = sharedHost({ bodyMaxBytes: 100_000 });

  it('bodyMaxBytes refuses a length that is announced', async () => {
    const client = await host().connect();
    client.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n');
    expect(await refusalOf(client)).toEqual([413, 'LIMIT_BODY']);
  });

  it('bodyMaxBytes refuses before it says 100 Continue', async () => {
    const client = await host().connect();
    client.write('POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n');
    expect(await refusalOf(client)).toEqual([413, 'LIMIT_BODY']);
  });

  it('bodyMaxBytes refuses a body that turns out too long, and its client can read why', async () => {
    const client = await host().connect();
    client.write('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    const piece = `2710\r\n${'a'.repeat(10_000)}\r\n`;
    const answered = refusalOf(client);
    // It goes on sending, as a browser does, and must not be met by a reset.
    for (let sent = 0; sent < 30 && (await client.send(piece)); sent++) await sleep(5);
    expect(await answered).toEqual([413, 'LIMIT_BODY']);
  });

  it('bodyMaxBytes lets through what is just as long', async () => {
    const client = await host().connect();
    client.write(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(100_000)}`);
    expect((await client.response()).body.toString()).toBe('100000');
    expect((await client.get('/echo')).status).toBe(200);
  });
});

/** Each only waits, and none makes another wait: they do it at the same time. */
describe.concurrent('clients that take their time', () => {
  const host = sharedHost({ headTimeoutMs: 500, bodyTimeoutMs: 500, keepAliveTimeoutMs: 500 });
  /** The clocks are looked at four times a second. */
  const tick = 300;

  /** Did the connection end about so many ms after it had begun? */
  async function endedAfter(client: WireClient, begun: number, ms: number): Promise<boolean> {
    await client.closed();
    const tookMs = client.lastEventAt - begun;
    return tookMs > ms - 20 && tookMs < ms + tick + 300;
  }

  it.each([
    ['sends nothing', '', 'LIMIT_HEAD_TIMEOUT'],
    ['sends half a head', 'GET /echo HTTP/1.1\r\nHo', 'LIMIT_HEAD_TIMEOUT'],
    ['sends half a body', 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello', 'LIMIT_BODY_TIMEOUT'],
    [
      'sends half a long body',
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhello',
      'LIMIT_BODY_TIMEOUT',
    ],
    [
      'sends half a chunk',
      'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello',
      'LIMIT_BODY_TIMEOUT',
    ],
  ])('a client that %s is refused and closed', async (_name, request, code) => {
    const client = await host().connect();
    const begun = performance.now();
    client.write(request);
    const response = await client.response();
    expect([response.status, codeOf(response)]).toEqual([408, code]);
    expect(await endedAfter(client, begun, 500)).toBe(true);
  });

  it('a client that drips its head does not live longer for it', async () => {
    const client = await host().connect();
    const begun = performance.now();
    const drip = setInterval(() => client.write('X'), 50);
    client.write('GET /echo HTTP/1.1\r\nX-Long: ');
    await client.closed();
    clearInterval(drip);
    expect(performance.now() - begun).toBeLessThan(500 + tick + 300);
  });

  it('a client that drips its body is served, for it makes progress', async () => {
    const client = await host().connect();
    client.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n');
    for (let sent = 0; sent < 8; sent++) {
      await sleep(150);
      client.write('x');
    }
    expect((await client.response()).body.toString()).toBe('8');
  });

  it('an idle connection is closed quietly', async () => {
    const client = await host().connect();
    await client.get('/echo');
    expect(await endedAfter(client, performance.now(), 500)).toBe(true);
    expect((await client.rest()).length).toBe(0);
  });
});

describe('sendTimeoutMs', () => {
  it('a client that does not read its response is cut after sendTimeoutMs', async () => {
    await using started = await StartedHost.start(
      {
        endless: `
          const body = async function* () { for (;;) yield Buffer.alloc(65536); };
          export default (request) => request.url.endsWith('?ok') ? 'ok' : { body: body() };`,
      },
      { limits: { sendTimeoutMs: 500 } },
    );
    await started.warm('/endless?ok');
    const socket = connect(started.host.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
    // Nobody listens to its data, so that it is never read.
    const isHeld = (): boolean =>
      started.host.custodian.describe().some((line) => line.includes(`connection 127.0.0.1:${socket.localPort}`));
    await eventually(isHeld, (held) => held);
    expect(await eventually(isHeld, (held) => !held, { ms: 3000, what: 'its end' })).toBe(false);
    socket.destroy();
    await once(socket, 'close');
  });
});

describe('a servlet that has no time', () => {
  it('queueMaxCount refuses with 503 and Retry-After', async () => {
    await using started = await StartedHost.start({ slow: SLOW }, { limits: { threadsMaxCount: 1, queueMaxCount: 2 } });
    await started.warm('/slow');
    const clients = await Promise.all(Array.from({ length: 8 }, () => started.connect()));
    const responses = await Promise.all(clients.map((client) => client.get('/slow')));
    const refused = responses.filter(({ status }) => status !== 200);
    // Those in the queue, and one that runs unless its thread is just coming back from the slow one before.
    expect(responses.length - refused.length).toBeGreaterThanOrEqual(2);
    expect(refused.length).toBeGreaterThan(0);
    for (const response of refused) {
      expect([response.status, codeOf(response)]).toEqual([503, 'LIMIT_QUEUE']);
      expect(response.headers.get('retry-after')).toEqual(['1']);
      expect(response.headers.get('connection')).toEqual(['close']);
    }
  });

  it('queueTimeoutMs refuses those who have waited too long', async () => {
    await using started = await StartedHost.start(
      { never: `export default (request) => request.url.endsWith('?ok') ? 'ok' : new Promise(() => {});` },
      { limits: { threadsMaxCount: 1, queueTimeoutMs: 500, wallMs: 3000 } },
    );
    await started.warm('/never?ok');
    const idle = (): number => started.host.servlets[0]!.idleThreads;
    await eventually(idle, (count) => count === 1);
    const first = await started.connect();
    first.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(idle, (count) => count === 0);
    const second = await started.connect();
    second.write('GET /never?ok HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await refusalOf(second)).toEqual([503, 'LIMIT_QUEUE_TIMEOUT']);
    expect(await refusalOf(first)).toEqual([504, 'LIMIT_WALL']);
  });

  it('wallMs refuses with 504 in a thread that is shared, and the thread lives', async () => {
    await using started = await StartedHost.start(
      {
        never: `let count = 0; export default (request) => request.url.endsWith('?ok') ? String(++count) : new Promise(() => {});`,
      },
      { unit: 'servlet', limits: { wallMs: 300 } },
    );
    await started.warm('/never?ok');
    const client = await started.connect();
    client.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await refusalOf(client)).toEqual([504, 'LIMIT_WALL']);
    expect((await (await started.connect()).get('/never?ok')).body.toString()).toBe('2');
    expect(started.host.ledger.obituaries).toEqual([]);
  });

  it('connectionsMaxCount turns further clients away', async () => {
    await using started = await StartedHost.start({ echo: ECHO }, { limits: { connectionsMaxCount: 2 } });
    const [first] = [await started.connect(), await started.connect()];
    const third = await started.connect();
    expect(await refusalOf(third)).toEqual([503, 'LIMIT_CONNECTIONS']);
    const fourth = await started.connect();
    fourth.write('GET /echo HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await refusalOf(fourth)).toEqual([503, 'LIMIT_CONNECTIONS']);
    expect((await first.get('/echo')).status).toBe(200);
    for (const client of [first, third, fourth]) client.destroy();
    await sleep(50);
    expect((await (await started.connect()).get('/echo')).status).toBe(200);
  });

  it('connectionsMaxCount turns nobody away for a client that has more than half of them', async () => {
    await using started = await StartedHost.start({ echo: ECHO }, { limits: { connectionsMaxCount: 4 } });
    const slow = [];
    for (let count = 0; count < 4; count++) {
      const client = await started.connect();
      client.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx');
      slow.push(client);
    }
    const again = await started.connect();
    expect(await refusalOf(again)).toEqual([503, 'LIMIT_CONNECTIONS']);
    again.destroy();
    const other = await started.connect('127.0.0.2');
    expect((await other.get('/echo')).status).toBe(200);
    await slow[0]?.closed();
    // Both have two of four now.
    const another = await started.connect('127.0.0.2');
    expect((await another.get('/echo')).status).toBe(200);
    expect(await refusalOf(await started.connect('127.0.0.2'))).toEqual([503, 'LIMIT_CONNECTIONS']);
  });
});
