import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MockAgent } from 'undici';
import type { ServeOptions } from '../../../packages/host/src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { childProcesses } from '../../support/process-tree.ts';
import { StartedHost } from '../../support/started-host.ts';

type Answers = Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>>;

/** A site on this machine, which may do its guests ill. */
class Site implements AsyncDisposable {
  readonly sockets = new Set<Socket>();
  mostAtOnce = 0;
  /** Of a request that is never answered. */
  waiting: Socket | null = null;
  /** Of a request that gets interim answers without an end. */
  interim: Socket | null = null;
  #atOnce = 0;
  readonly #server: Server;

  private constructor(answers: Answers) {
    this.#server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://x').pathname;
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
      response.once('close', () => this.#atOnce--);
      const answer = answers[path];
      if (answer === undefined) response.writeHead(404).end();
      else answer(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  static async start(answers: Answers): Promise<Site> {
    const site = new Site(answers);
    await new Promise<void>((resolve) => site.#server.listen(0, '0.0.0.0', resolve));
    return site;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** 300 MB, on the wire 300 KB. */
const BOMB = gzipSync(Buffer.alloc(300 << 20), { level: 9 });

/** A guest that does what its visitor sends it, as the body of an async function. */
const AGENT = `export default async (request) => {
  const code = request.bindings.get('code');
  try {
    return await (0, eval)('(async () => {' + code + '})()');
  } catch (error) {
    return error.name + ' ' + (error.code ?? '') + ': ' + error.message;
  }
};`;

/** Answers by chunks, and then with this without an end. */
function flood(socket: Socket, text: string): void {
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  const piece = text.repeat(Math.ceil(65_536 / text.length));
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', () => setImmediate(more)).on('error', () => {});
  more();
}

async function endless(response: ServerResponse): Promise<void> {
  response.writeHead(200);
  const piece = Buffer.alloc(64 * 1024, 120);
  while (!response.destroyed) {
    if (!response.write(piece))
      await Promise.race([new Promise((resolve) => response.once('drain', resolve)), delay(200)]);
    else await delay(0);
  }
}

describe('fetch() of a guest', () => {
  let site: Site;
  let other: Site;
  let started: StartedHost;
  const run = async (code: string, servlet = 'agent'): Promise<string> => {
    const body = new URLSearchParams({ code });
    return (await fetch(`${started.url}/${servlet}`, { method: 'POST', body })).text();
  };

  beforeAll(async () => {
    other = await Site.start({ '/': (_request, response) => response.end('other') });
    site = await Site.start({
      '/hello': (_request, response) =>
        response.writeHead(201, 'Made', { 'X-A': 'b', 'Set-Cookie': ['a=1', 'b=2'] }).end('hello'),
      '/echo': (request, response) => {
        response.writeHead(200, {
          'X-Length': request.headers['content-length'] ?? 'none',
          'X-Auth': request.headers.authorization ?? 'none',
        });
        request.pipe(response);
      },
      '/gzip': (_request, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync('packed')),
      '/zstd': (_request, response) =>
        response.writeHead(200, { 'Content-Encoding': 'zstd' }).end(zstdCompressSync('packed')),
      '/bomb': (_request, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(BOMB),
      '/endless': (_request, response) => void endless(response),
      '/silent': (request) => {
        site.waiting = request.socket;
        request.socket.once('close', () => (site.waiting = null));
      },
      '/slow': (_request, response) => void setTimeout(() => response.end('slow'), 20),
      '/long-head': (_request, response) => response.writeHead(200, { 'X-Long': 'x'.repeat(15_000) }).end(),
      '/away': (_request, response) => response.writeHead(302, { Location: `${other.origin}/` }).end(),
      '/to-loopback': (_request, response) => response.writeHead(302, { Location: 'http://[::ffff:127.0.0.1]/' }).end(),
      '/to-file': (_request, response) => response.writeHead(302, { Location: 'file:///etc/passwd' }).end(),
      '/round': (_request, response) => response.writeHead(302, { Location: '/round' }).end(),
      '/back': (_request, response) => response.writeHead(302, { Location: '/hello' }).end('x'.repeat(1000)),
      '/again': (_request, response) => response.writeHead(307, { Location: '/echo' }).end(),
      '/nothing': (_request, response) => response.writeHead(204).end(),
      '/interim': ({ socket }) => {
        site.interim = socket;
        const piece = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(10);
        const clock = setInterval(() => socket.write(piece), 5);
        socket.once('close', () => clearInterval(clock)).on('error', () => {});
      },
      '/extensions': ({ socket }) => flood(socket, `1;${'x'.repeat(8000)}\r\na\r\n`),
      '/zeros': ({ socket }) => flood(socket, '0'),
      '/crumbs': ({ socket }) => flood(socket, '1\r\na\r\n'),
      '/kept': (_request, response) => response.writeHead(200, { 'Keep-Alive': 'timeout=600' }).end('kept'),
      '/garbage': (request) => void request.socket.end('this is no HTTP\r\n\r\n'),
    });
    const name = `http://localhost:${site.port}`;
    started = await StartedHost.start(
      { agent: AGENT, patient: AGENT, none: AGENT, by_name: AGENT, everywhere: AGENT },
      { fetch: { origins: [site.origin] }, limits: { wallMs: 20_000, fetchTimeoutMs: 3000, fetchMaxBytes: 4 << 20 } },
      {
        patient: { limits: { fetchTimeoutMs: 20_000, fetchMaxBytes: 4 << 20 } },
        none: { fetch: { origins: [] } },
        by_name: { fetch: { origins: [name] } },
        everywhere: { fetch: { origins: ['*'], addresses: ['127.0.0.0/8'] }, limits: { fetchesMaxCount: 4 } },
      },
    );
    await started.warm('/agent');
  });
  afterAll(async () => {
    await started[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });
  const at = (path: string): string => JSON.stringify(site.origin + path);

  it('fetch() of a guest gives a Response of the web', async () => {
    const code = `const r = await fetch(${at('/hello')});
      return JSON.stringify([r instanceof Response, r.status, r.statusText, r.ok, r.headers.get('x-a'), r.headers.getSetCookie(), r.url, r.redirected, await r.text()]);`;
    expect(JSON.parse(await run(code))).toEqual([
      true,
      201,
      'Made',
      true,
      'b',
      ['a=1', 'b=2'],
      `${site.origin}/hello`,
      false,
      'hello',
    ]);
  });

  it('fetch() of a guest sends a short body with its length, and a stream in pieces as it comes', async () => {
    const whole = `const r = await fetch(${at('/echo')}, { method: 'POST', body: 'short', headers: { authorization: 'me' } });
      return r.headers.get('x-length') + r.headers.get('x-auth') + await r.text();`;
    expect(await run(whole)).toBe('5meshort');
    const stream = `let n = 0;
      const body = new ReadableStream({ pull(c) { if (n++ < 40) c.enqueue(new Uint8Array(50000).fill(n)); else c.close(); } });
      const r = await fetch(${at('/echo')}, { method: 'POST', body, duplex: 'half' });
      const bytes = new Uint8Array(await r.arrayBuffer());
      return r.headers.get('x-length') + ' ' + bytes.length + ' ' + bytes[0] + ' ' + bytes.at(-1);`;
    expect(await run(stream)).toBe('none 2000000 1 40');
  });

  it('fetch() of a guest inflates what is compressed, and has no body where there is none', async () => {
    expect(await run(`return (await fetch(${at('/gzip')})).text();`)).toBe('packed');
    expect(await run(`return (await fetch(${at('/zstd')})).text();`)).toBe('packed');
    expect(await run(`const r = await fetch(${at('/nothing')}); return r.status + ' ' + r.body;`)).toBe('204 null');
    expect(
      await run(`const r = await fetch(${at('/hello')}, { method: 'HEAD' }); return r.status + ' ' + r.body;`),
    ).toBe('201 null');
  });

  it('fetch() of a guest follows redirections within its origins, and sends a short body again', async () => {
    expect(await run(`const r = await fetch(${at('/back')}); return r.redirected + r.url + await r.text();`)).toBe(
      `true${site.origin}/hellohello`,
    );
    expect(await run(`return (await fetch(${at('/again')}, { method: 'POST', body: 'twice' })).text();`)).toBe('twice');
    expect(await run(`return String((await fetch(${at('/back')}, { redirect: 'manual' })).status);`)).toBe('302');
    expect(await run(`return await fetch(${at('/back')}, { redirect: 'error' });`)).toContain('FETCH_FAILED');
  });

  it.each<[string, string, string]>([
    ['an origin that nobody named', `return (await fetch(OTHER)).text();`, 'FETCH_ORIGIN'],
    ['a redirection to one', `return (await fetch(SITE + '/away')).text();`, 'FETCH_ORIGIN'],
    ['a redirection to this machine', `return (await fetch(SITE + '/to-loopback')).text();`, 'FETCH_ORIGIN'],
    ['a redirection to a file', `return (await fetch(SITE + '/to-file')).text();`, 'FETCH_ORIGIN'],
    ['redirections in a ring', `return (await fetch(SITE + '/round')).text();`, 'FETCH_FAILED'],
    ['a head that is too long', `return (await fetch(SITE + '/long-head')).text();`, 'FETCH_FAILED'],
    ['what is no HTTP', `return (await fetch(SITE + '/garbage')).text();`, 'FETCH_FAILED'],
    ['a body without an end', `return (await fetch(SITE + '/endless')).text();`, 'LIMIT_FETCH_BYTES'],
    ['an answer that never comes', `return (await fetch(SITE + '/silent')).text();`, 'LIMIT_FETCH_TIMEOUT'],
    [
      'a header that splits the request',
      `return (await fetch(SITE + '/echo', { headers: { a: 'b\\r\\nc: d' } })).text();`,
      'TypeError',
    ],
    ['a method of its own', `return (await fetch(SITE + '/echo', { method: 'CONNECT' })).text();`, 'TypeError'],
    ['a path by itself', `return (await fetch('/hello')).text();`, 'TypeError'],
    [
      'a body that is too long to send',
      `const body = new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536)); } });
       return (await fetch(SITE + '/echo', { method: 'POST', body, duplex: 'half' })).text();`,
      'LIMIT_FETCH_BYTES',
    ],
  ])('fetch() of a guest refuses %s', async (_, code, expected) => {
    const prelude = `const SITE = ${JSON.stringify(site.origin)}; const OTHER = ${JSON.stringify(other.origin)};`;
    expect(await run(prelude + code)).toContain(expected);
  });

  it('fetch() of a guest resolves a name to addresses that it may reach only', async () => {
    expect(await run(`return (await fetch('http://localhost:${site.port}/hello')).text();`, 'by_name')).toContain(
      'FETCH_ADDRESS',
    );
  });

  it('fetch() of a guest without origins says that it has none', async () => {
    expect(await run(`return (await fetch('https://example.com/')).text();`, 'none')).toContain('FETCH_ORIGIN');
  });

  it('fetch() of a guest runs so many at once, however many are asked for', async () => {
    site.mostAtOnce = 0;
    const code = `const all = await Promise.all(Array.from({ length: 1000 }, async () => (await fetch(${at('/slow')})).text()));
      return String(all.filter((text) => text === 'slow').length);`;
    expect(await run(code, 'patient')).toBe('1000');
    expect(site.mostAtOnce).toBeLessThanOrEqual(16);
    expect(site.mostAtOnce).toBeGreaterThan(8);
  });

  it('fetch() of a guest keeps few connections open, however many sites it has been to, and not as long as they like', async () => {
    const before = site.sockets.size;
    const code = `const texts = await Promise.all(Array.from({ length: 100 }, async (_, n) =>
        (await fetch('http://127.0.1.' + (n + 1) + ':${site.port}/kept')).text()));
      return texts.join('');`;
    expect(await run(code, 'everywhere')).toBe('kept'.repeat(100));
    expect(site.sockets.size - before).toBeLessThanOrEqual(16);
    await eventually(
      () => site.sockets.size,
      (count) => count <= before,
      { ms: 8000, what: 'the end of the connections' },
    );
  });

  it('fetch() of a guest ends when answers before the answer do not', async () => {
    expect(await run(`await fetch(${at('/interim')}).then((r) => r.text())`)).toMatch(/FETCH_FAILED/);
    await eventually(
      () => site.interim?.destroyed,
      (isOver) => isOver === true,
      { ms: 8000, what: 'the end of the connection' },
    );
  });

  it('fetch() of a guest ends when what comes is more than twice the longest body, whatever it is', async () => {
    for (const path of ['/extensions', '/zeros', '/crumbs'])
      expect(await run(`return (await fetch(${at(path)})).text()`, 'patient')).toMatch(/^FetchError LIMIT_FETCH_BYTES/);
    expect(await run(`return (await fetch(${at('/hello')})).text()`, 'patient')).toBe('hello');
  });

  it('fetch() of a guest holds what is inflated to the cap of its thread', async () => {
    const page = await run(
      `const pieces = []; for await (const piece of (await fetch(${at('/bomb')})).body) pieces.push(piece);
      return String(pieces.length);`,
      'patient',
    );
    expect(page).toContain('LIMIT_HEAP');
  });

  it('fetch() of a guest is aborted at once by its signal, and frees its connection', async () => {
    const code = `const end = new AbortController(); setTimeout(() => end.abort(new Error('enough')), 50);
      return (await fetch(${at('/silent')}, { signal: end.signal })).text();`;
    expect(await run(code)).toContain('enough');
    await eventually(
      () => site.sockets.size,
      (count) => count <= 16,
      { ms: 2000 },
    );
  });

  /** A fetch that waits for ever, and its connection. */
  async function waiting(visitor: Promise<unknown>): Promise<Socket> {
    visitor.catch(() => {});
    const socket = await eventually(
      () => site.waiting,
      (found) => found !== null,
      { ms: 5000 },
    );
    return socket as Socket;
  }

  it('fetch() of a guest ends with the connection of its client', async () => {
    const code = encodeURIComponent(`return (await fetch(${at('/silent')})).text();`);
    const client = await started.connect();
    const socket = await waiting(client.get(`/agent?code=${code}`));
    client.socket.resetAndDestroy();
    await once(socket, 'close');
    expect(site.waiting).toBeNull();
  });

  it('fetch() of a guest ends with its thread', async () => {
    const socket = await waiting(run(`return (await fetch(${at('/silent')})).text();`));
    const closed = once(socket, 'close');
    for (const { pid } of childProcesses(process.pid)) await started.host.killCell(pid).catch(() => {});
    await closed;
    expect(site.waiting).toBeNull();
  });

  it('fetch() of a guest is charged to its servlet', async () => {
    const { fetches, fetchFailures, fetchBytesIn, fetchBytesOut } = started.host.ledger.account('agent');
    expect(fetches).toBeGreaterThan(15);
    expect(fetchFailures).toBeGreaterThan(8);
    expect(fetchBytesIn).toBeGreaterThan(2_000_000);
    expect(fetchBytesOut).toBeGreaterThan(2_000_000);
  });
});

describe('serve({ fetchDispatcher })', () => {
  it('serve({ fetchDispatcher }) makes the fetches of guests, as MockAgent does', async () => {
    const agent = new MockAgent();
    agent.disableNetConnect();
    agent
      .get('https://api.example.com')
      .intercept({ path: '/price?of=tea' })
      .reply(200, { price: 3 }, { headers: { 'content-type': 'application/json' } });
    const options: Partial<ServeOptions> = { fetch: { origins: ['https://api.example.com'] }, fetchDispatcher: agent };
    await using started = await StartedHost.start(
      {
        shop: `export default async () => { const r = await fetch('https://api.example.com/price?of=tea'); return 'tea: ' + (await r.json()).price; };`,
      },
      options,
    );
    expect(await (await fetch(`${started.url}/shop`)).text()).toBe('tea: 3');
    await agent.close();
  });
});
