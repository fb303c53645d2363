import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { HostProcess } from '../support/host-process.ts';
import { residentBytes } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { StartedHost } from '../support/started-host.ts';
import { DOWN, streamDown, streamUp, UP } from '../support/large-streams.ts';

const MB = 1 << 20;
const LARGE_MB = 64;

const PIECES = `
  let sent = 0, ended = 0;
  const body = async function* (count, bytes) {
    try { for (let i = 0; i < count; i++) { sent++; yield Buffer.alloc(bytes, 97); } } finally { ended++; }
  };
  export default (request) => {
    if (request.path.endsWith('/count')) return JSON.stringify({ sent, ended });
    return { body: body(Number(request.query.get('count')), Number(request.query.get('bytes'))) };
  };`;

async function counted(started: StartedHost): Promise<{ sent: number; ended: number }> {
  return (await (await fetch(`${started.url}/pieces/count`)).json()) as { sent: number; ended: number };
}

describe('large bodies', () => {
  it(`${LARGE_MB} MB go down and up through a servlet with a cap of 50 MB, and the acceptor stays small`, async () => {
    using directory = new ServletDirectory({ down: DOWN, up: UP });
    await using host = await HostProcess.start(process.execPath, {
      servlets: directory.path,
      limits: { heapMb: 50, bodyMaxBytes: 2 ** 31 },
    });
    await streamDown(host.port, 1);
    await streamUp(host.port, 1);
    await host.ask({ type: 'forget-peak' });
    const atFirst = residentBytes(host.pid).now;
    expect(await streamDown(host.port, LARGE_MB)).toBe(LARGE_MB * MB);
    expect(await streamUp(host.port, LARGE_MB)).toBe(LARGE_MB * MB);
    expect(await host.obituaries()).toEqual([]);
    // V8 lets up to 64 MB of buffers that were read into become garbage before it collects them.
    expect((residentBytes(host.pid).peak - atFirst) / MB).toBeLessThan(72);
  });
});

describe('flow control', () => {
  it('a client that stops reading stops the servlet from writing', async () => {
    await using started = await StartedHost.start({ pieces: PIECES }, { unit: 'servlet' });
    await counted(started);
    const client = await started.connect();
    client.write('GET /pieces?count=100000&bytes=65536 HTTP/1.1\r\nHost: a\r\n\r\n');
    client.socket.pause();
    // The kernel takes some MB on the way; then nothing moves any more.
    let last = -1;
    const { sent } = await eventually(
      async () => {
        const found = await counted(started);
        const isStill = found.sent === last;
        last = found.sent;
        await sleep(200);
        return { ...found, isStill };
      },
      ({ isStill, sent }) => isStill && sent > 0,
      { ms: 10_000, what: 'the stream at rest' },
    );
    expect(sent).toBeLessThan(1000);
    await sleep(300);
    expect((await counted(started)).sent).toBe(sent);
    client.socket.resume();
    await eventually(
      () => counted(started),
      (found) => found.sent > sent + 100,
    );
    client.destroy();
  });

  it('tiny pieces for a client that does not read cost the acceptor no more than large ones', async () => {
    using directory = new ServletDirectory({ pieces: PIECES });
    await using host = await HostProcess.start(process.execPath, {
      servlets: directory.path,
      limits: { cpuMs: 20_000 },
    });
    await fetch(`http://127.0.0.1:${host.port}/pieces/count`);
    await host.ask({ type: 'forget-peak' });
    const atFirst = residentBytes(host.pid).now;
    const socket = connect(host.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write('GET /pieces?count=1e9&bytes=1 HTTP/1.1\r\nHost: a\r\n\r\n');
    await sleep(4000);
    const grown = (residentBytes(host.pid).peak - atFirst) / MB;
    socket.destroy();
    expect(grown).toBeLessThan(48);
  });

  it('a servlet that does not read stops the client from sending', async () => {
    await using started = await StartedHost.start(
      { deaf: `export default () => new Promise((resolve) => setTimeout(resolve, 1500, 'deaf'));` },
      { limits: { bodyMaxBytes: 2 ** 31 } },
    );
    const client = await started.connect();
    client.write(`POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: ${512 * MB}\r\n\r\n`);
    let sent = 0;
    const piece = Buffer.alloc(MB);
    const answered = client.response();
    const sending = (async () => {
      while (sent < 512 && (await client.send(piece))) sent++;
    })();
    expect((await answered).body.toString()).toBe('deaf');
    expect(sent).toBeLessThan(64);
    client.destroy();
    await sending;
  });
});

describe('pieces of a streamed body', () => {
  /** Around where the digits of a chunk's size change, where pieces are copied, and where they are cut. */
  const SIZES = [15, 1, 16, 17, 255, 256, 4095, 4096, 8191, 8192, 8193, 1, 8192, 65535, 65536, 65537, 1, 131073, 2];
  const ROUNDS = 12;
  const MIXED = `
    export const SIZES = ${JSON.stringify(SIZES)};
    export const pieces = function* () {
      let at = 0;
      for (let round = 0; round < ${ROUNDS}; round++)
        for (const size of SIZES) yield Buffer.from(Array.from({ length: size }, () => (at++ * 2654435761) >>> 24));
    };
    export default ({ query }) => {
      const headers = query.has('length') ? { 'Content-Length': String(SIZES.reduce((sum, size) => sum + size) * ${ROUNDS}) } : {};
      return { headers, body: (async function* () { yield* pieces(); })() };
    };`;
  const bytes = SIZES.reduce((sum, size) => sum + size) * ROUNDS;
  const whole = Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 2654435761) >>> 24));

  /** Of a body in chunks, held to RFC 9112 §7.1 at each byte. */
  function unchunked(body: Buffer): { chunks: number[]; content: Buffer } {
    const pieces: Buffer[] = [];
    for (let at = 0; ;) {
      const line = /^[1-9a-f][\da-f]*\r\n|^0\r\n\r\n$/.exec(body.toString('latin1', at, at + 10))?.[0];
      if (line === undefined) throw new Error(`no chunk begins at ${at}`);
      const size = Number.parseInt(line, 16);
      if (size === 0) return { chunks: pieces.map(({ length }) => length), content: Buffer.concat(pieces) };
      const start = at + line.length;
      pieces.push(body.subarray(start, start + size));
      expect(body.toString('latin1', start + size, start + size + 2)).toBe('\r\n');
      at = start + size + 2;
    }
  }

  let mixed: StartedHost;
  beforeAll(async () => {
    mixed = await StartedHost.start({ mixed: MIXED });
  });
  afterAll(() => mixed[Symbol.asyncDispose]());

  it.each([
    { framing: 'chunks', request: 'GET /mixed HTTP/1.1', deafMs: 0 },
    { framing: 'chunks, for a client that does not read at first', request: 'GET /mixed HTTP/1.1', deafMs: 500 },
    { framing: 'a length', request: 'GET /mixed?length HTTP/1.1', deafMs: 0 },
    {
      framing: 'a length, for a client that does not read at first',
      request: 'GET /mixed?length HTTP/1.1',
      deafMs: 500,
    },
    { framing: 'a length, for HTTP/1.0', request: 'GET /mixed?length HTTP/1.0', deafMs: 0 },
    { framing: 'nothing, for HTTP/1.0', request: 'GET /mixed HTTP/1.0', deafMs: 0 },
    { framing: 'nothing, for HEAD', request: 'HEAD /mixed HTTP/1.1', deafMs: 0 },
  ])('of every size around the bounds come whole and in order, framed by $framing', async ({ request, deafMs }) => {
    const client = await mixed.connect();
    if (deafMs > 0) client.socket.pause();
    client.write(`${request}\r\nHost: a\r\nConnection: close\r\n\r\n`);
    await sleep(deafMs);
    client.socket.resume();
    const answer = await client.rest();
    const bodyAt = answer.indexOf('\r\n\r\n') + 4;
    const [head, body] = [answer.toString('latin1', 0, bodyAt), answer.subarray(bodyAt)];
    const isChunked = head.includes('Transfer-Encoding: chunked') && !request.startsWith('HEAD');
    const { chunks, content } = isChunked ? unchunked(body) : { chunks: [], content: body };
    expect(content.equals(request.startsWith('HEAD') ? Buffer.alloc(0) : whole)).toBe(true);
    // Small pieces may share a chunk; large ones are cut.
    expect(Math.max(0, ...chunks)).toBe(isChunked ? 65536 : 0);
    expect(chunks.length).toBeLessThanOrEqual(ROUNDS * SIZES.reduce((sum, size) => sum + Math.ceil(size / 65536), 0));
  });
});

describe('pieces of a body without an end', () => {
  it.each([1, 8192, 8193])('of %i bytes end when their client goes, and nothing is left', async (size) => {
    await using started = await StartedHost.start({ pieces: PIECES }, { limits: { threadsMaxCount: 1 } });
    await counted(started);
    const client = await started.connect();
    client.write(`GET /pieces?count=1e9&bytes=${size} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await eventually(
      () => client.receivedBytes,
      (received) => received > 3000,
    );
    client.socket.resetAndDestroy();
    await eventually(
      () => counted(started),
      ({ ended }) => ended === 1,
    );
    expect(started.host.ledger.obituaries).toEqual([]);
  });
});

describe('clients that go away', () => {
  it('an aborted download ends the servlet’s stream and frees its thread', async () => {
    await using started = await StartedHost.start(
      { pieces: PIECES },
      { limits: { threadsMaxCount: 1 } },
      { pieces: { spareThreads: 0 } },
    );
    await counted(started);
    for (let count = 1; count <= 3; count++) {
      const client = await started.connect();
      client.write('GET /pieces?count=1e9&bytes=65536 HTTP/1.1\r\nHost: a\r\n\r\n');
      await eventually(
        () => client.receivedBytes,
        (bytes) => bytes > MB,
      );
      client.destroy();
      // The only thread answers again, and has cleaned up.
      await eventually(
        () => counted(started),
        ({ ended }) => ended === count,
      );
    }
    expect(started.host.ledger.obituaries).toEqual([]);
  });

  it('an aborted upload frees its thread', async () => {
    await using started = await StartedHost.start(
      {
        reader: `
          let gone = 0;
          export default async (request) => {
            if (request.method === 'GET') return String(gone);
            try { for await (const piece of request.body); } catch (error) { if (error.code === 'SERVLET_CLIENT_GONE') gone++; throw error; }
          };`,
      },
      { limits: { threadsMaxCount: 1 } },
      { reader: { spareThreads: 0 } },
    );
    await started.warm('/reader');
    for (let count = 1; count <= 3; count++) {
      const client = await started.connect();
      // More than is awaited before a thread is given to it.
      const piece = `50000\r\n${'x'.repeat(0x50000)}\r\n`;
      client.write(`POST /reader HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${piece}`);
      await sleep(50);
      client.destroy();
      await eventually(
        async () => (await fetch(`${started.url}/reader`)).text(),
        (text) => text === String(count),
      );
    }
    expect(started.host.ledger.obituaries).toEqual([]);
  });

  it('a client that shuts its side down after its request is answered', async () => {
    await using started = await StartedHost.start({
      slow: `export default () => new Promise((resolve) => setTimeout(resolve, 200, 'slow'));`,
    });
    const client = await started.connect();
    client.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    client.end();
    expect((await client.response()).body.toString()).toBe('slow');
    await client.closed();
  });

  it('a client that shuts its side down within its request gets a page or an end', async () => {
    await using started = await StartedHost.start({ slow: `export default () => 'slow';` });
    for (const half of ['GET /slow HT', 'POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf']) {
      const client = await started.connect();
      client.write(half);
      client.end();
      expect((await client.rest()).toString('latin1')).toMatch(/^$|^HTTP\/1\.1 400 /);
    }
  });

  it('resets of many connections leave nothing', async () => {
    await using started = await StartedHost.start({ pieces: PIECES });
    await counted(started);
    for (let count = 0; count < 50; count++) {
      const client = await started.connect();
      client.write('GET /pieces?count=1e9&bytes=65536 HTTP/1.1\r\nHost: a\r\n\r\n');
      if (count % 2 === 0) await sleep(5);
      client.socket.resetAndDestroy();
    }
    await eventually(
      () => started.host.custodian.describe().filter((line) => line.includes('connection')),
      (lines) => lines.length === 0,
    );
    expect((await (await started.connect()).get('/pieces/count')).status).toBe(200);
    expect(started.host.ledger.obituaries).toEqual([]);
  });
});
