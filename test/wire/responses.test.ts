import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';

const REPLIES = `
  let begun = 0, ended = 0;
  const stream = async function* () { yield 'piece'; yield 'piece'; };
  const large = async function* () {
    begun++;
    try { for (;;) { yield Buffer.alloc(65536, 97); await new Promise(setImmediate); } } finally { ended++; }
  };
  const TRAILED = { Trailer: 'X-Sum', TE: 'trailers', 'Keep-Alive': 'timeout=9', 'Transfer-Encoding': 'gzip, chunked', 'X-Own': '1' };
  export default (request) => {
    switch (request.query.get('of')) {
      case 'none': return { status: 204 };
      case 'same': return { status: 304, headers: { ETag: '"a"' } };
      case 'stream': return { body: stream() };
      case 'declared': return { headers: { 'Content-Length': '10' }, body: stream() };
      case 'short': return { headers: { 'Content-Length': '11' }, body: stream() };
      case 'long': return { headers: { 'Content-Length': '9' }, body: stream() };
      case 'endless': return { headers: { 'Content-Length': '100000' }, body: large() };
      case 'large': return { status: Number(request.query.get('status')), body: large() };
      case 'large-whole': return { status: Number(request.query.get('status')), body: Buffer.alloc(6 << 20) };
      case 'counts': return JSON.stringify({ begun, ended });
      case 'reset': return { status: 205, body: (async function* () { yield 'piece'; })() };
      case 'no-content': return { status: 204, headers: { 'Content-Length': 5 }, body: (async function* () { yield 'piece'; })() };
      case 'broken': return { body: (async function* () { yield 'piece'; await new Promise((r) => setTimeout(r, 50)); throw new Error('broken'); })() };
      case 'trailed': return { headers: TRAILED, body: stream() };
      case 'trailed-whole': return { headers: TRAILED, body: 'piecepiece' };
      case 'trailed-response': return new Response('piecepiece', { headers: TRAILED });
      default: return 'whole';
    }
  };`;

describe('responses', () => {
  let started: StartedHost;

  beforeAll(async () => {
    started = await StartedHost.start({
      replies: REPLIES,
      wait: `export default (request) => new Promise((resolve) => setTimeout(resolve, Number(request.query.get('ms')), request.url));`,
    });
    await started.warm('/replies');
  });
  afterAll(() => started[Symbol.asyncDispose]());

  const counts = async (): Promise<{ begun: number; ended: number }> =>
    (await fetch(`${started.url}/replies?of=counts`)).json() as Promise<{ begun: number; ended: number }>;

  it.each([
    ['GET', 'none', 204, undefined, undefined],
    ['GET', 'same', 304, undefined, undefined],
    ['GET', 'whole', 200, '5', undefined],
    ['HEAD', 'whole', 200, '5', undefined],
    ['GET', 'stream', 200, undefined, 'chunked'],
    ['HEAD', 'stream', 200, undefined, undefined],
    ['GET', 'declared', 200, '10', undefined],
    ['HEAD', 'declared', 200, '10', undefined],
    ['GET', 'reset', 205, '0', undefined],
    ['HEAD', 'reset', 205, '0', undefined],
    ['GET', 'no-content', 204, undefined, undefined],
    ['HEAD', 'no-content', 204, undefined, undefined],
  ])(
    '%s of %s is framed as its kind demands, and the connection goes on',
    async (method, of, status, length, coding) => {
      const client = await started.connect();
      client.write(`${method} /replies?of=${of} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const response = await client.response(method);
      expect(response.status).toBe(status);
      expect(response.headers.get('content-length')?.[0]).toBe(length);
      expect(response.headers.get('transfer-encoding')?.[0]).toBe(coding);
      expect((await client.get('/replies?of=whole')).body.toString()).toBe('whole');
    },
  );

  it.each([204, 205, 304])('of %i are not asked for a body that nobody gets, however large it is', async (status) => {
    const before = await counts();
    const client = await started.connect();
    for (const of of ['large', 'large-whole']) {
      const { body } = await client.get(`/replies?of=${of}&status=${status}`);
      expect(body).toHaveLength(0);
    }
    expect((await client.get('/replies?of=whole')).body.toString()).toBe('whole');
    expect(await counts()).toEqual(before);
    expect(started.host.ledger.obituaries).toEqual([]);
  });

  it.each(['short', 'long', 'broken'])(
    'a %s body is cut, so that its client can tell, and is an error of the servlet’s',
    async (of) => {
      const errors = (): number => started.host.ledger.refusals.get('SERVLET_ERROR') ?? 0;
      const errorsBefore = errors();
      const client = await started.connect();
      await expect(client.get(`/replies?of=${of}`)).rejects.toThrow('the connection ended');
      expect((await (await started.connect()).get('/replies?of=whole')).status).toBe(200);
      expect(errors()).toBe(errorsBefore + 1);
    },
  );

  it('a body longer than was declared is the servlet’s failure, and its stream is ended', async () => {
    const before = await counts();
    const client = await started.connect();
    await expect(client.get('/replies?of=endless')).rejects.toThrow('the connection ended');
    await eventually(counts, ({ begun, ended }) => begun === before.begun + 1 && ended === before.ended + 1);
  });

  it('a stream for HTTP/1.0 ends with its connection', async () => {
    const client = await started.connect();
    client.write('GET /replies?of=stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const { body, headers } = await client.response();
    expect([body.toString(), headers.get('transfer-encoding')]).toEqual(['piecepiece', undefined]);
    expect([client.isEnded, client.error]).toEqual([true, null]);
  });

  it('a broken stream for HTTP/1.0 is reset: the connection’s end would say that it is whole', async () => {
    const client = await started.connect();
    client.write('GET /replies?of=broken HTTP/1.0\r\n\r\n');
    await client.closed();
    expect(client.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it.each(['trailed', 'trailed-whole', 'trailed-response'])(
    '%s: none has trailers, and none promises any; what is of one hop is the host’s own',
    async (of) => {
      const client = await started.connect();
      client.write(`GET /replies?of=${of} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n`);
      const answer = (await client.rest()).toString('latin1');
      const [head = '', body] = answer.split('\r\n\r\n', 1).concat(answer.slice(answer.indexOf('\r\n\r\n') + 4));
      const names = head
        .split('\r\n')
        .slice(1)
        .map((line) => line.slice(0, line.indexOf(':')).toLowerCase());
      const framing = of === 'trailed' ? 'transfer-encoding' : 'content-length';
      expect(names.filter((name) => name !== 'content-type').toSorted()).toEqual(
        ['connection', framing, 'date', 'x-own'].toSorted(),
      );
      expect(head).not.toContain('gzip');
      expect(body).toBe(of === 'trailed' ? 'a\r\npiecepiece\r\n0\r\n\r\n' : 'piecepiece');
    },
  );

  it('answers to pipelined requests come in their order', async () => {
    const client = await started.connect();
    const times = [120, 5, 60, 1, 30, ...Array.from({ length: 20 }, (_, index) => index)];
    client.write(times.map((ms) => `GET /wait?ms=${ms} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    for (const ms of times) expect((await client.response()).body.toString()).toBe(`/wait?ms=${ms}`);
  });
});

it('a response: a stream for HTTP/1.0 that a closing host ends is reset', async () => {
  await using own = await StartedHost.start({ replies: REPLIES });
  const client = await own.connect();
  client.write('GET /replies?of=large&status=200 HTTP/1.0\r\n\r\n');
  await eventually(
    () => client.receivedBytes,
    (bytes) => bytes > 65536,
  );
  await own.close({ graceMs: 0 });
  await client.closed();
  expect(client.error).toMatchObject({ code: 'ECONNRESET' });
});
