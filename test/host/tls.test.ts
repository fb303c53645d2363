import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { ConfigError, type Host, serve, type ServeOptions } from '../../packages/host/src/index.ts';
import { hasOpenssl, makeCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { FileTree } from '../support/file-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';

const ECHO = `
  export default async (request) => {
    let bytes = 0;
    for await (const piece of request.body ?? []) bytes += piece.length;
    return request.method + ' ' + bytes;
  };`;
const LARGE = `
  const PIECE = Buffer.alloc(65536, 'x');
  export default () => ({ body: (async function* () { for (let i = 0; i < 160; i++) yield PIECE; })() });`;

interface Secure extends AsyncDisposable {
  host: Host;
  files: FileTree;
  cert: string;
  key: string;
}

/** A host over HTTPS, whose certificate's name is `first`. */
async function start(options: ServeOptions = {}): Promise<Secure> {
  const files = new FileTree();
  const { cert, key } = makeCertificate(files.path, 'first');
  const sslCert = join(files.path, 'cert.pem');
  const sslKey = join(files.path, 'key.pem');
  copyFileSync(cert, sslCert);
  copyFileSync(key, sslKey);
  const host = await serve({ sslCert, sslKey, ...options });
  return {
    host,
    files,
    cert: sslCert,
    key: sslKey,
    [Symbol.asyncDispose]: async () => {
      await host.close();
      expect(host.custodian.describe()).toEqual([]);
      files[Symbol.dispose]();
    },
  };
}

async function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

const nameOf = (socket: TLSSocket): unknown => socket.getPeerCertificate().subject.CN;

/** All that comes until the end. */
async function ask(socket: TLSSocket, request: string): Promise<string> {
  if (request !== '') socket.write(request);
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('latin1');
}

/** What openssl's own client says of the certificate that it is shown. */
async function subjectBySClient(port: number): Promise<string> {
  const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
  let said = '';
  client.stdout.setEncoding('latin1').on('data', (text: string) => (said += text));
  client.stdin.end();
  await once(client, 'close');
  return /^subject=.*$/m.exec(said)?.[0] ?? said;
}

async function nameNow(port: number): Promise<unknown> {
  const socket = await dial(port);
  const name = nameOf(socket);
  socket.destroy();
  return name;
}

describe.skipIf(!hasOpenssl)('HTTPS', () => {
  it('a fetch handler has an https: URL, and an author the origin', async () => {
    using servlets = new ServletDirectory({
      app: `export default { fetch: (request) => new Response(request.url) };`,
      origin: `export default (request) => request.origin + ' ' + request.isSecure;`,
    });
    await using secure = await start({ servlets: servlets.path });
    const get = async (path: string): Promise<string> => {
      const answer = await ask(
        await dial(secure.host.port),
        `GET ${path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`,
      );
      return answer.split('\r\n\r\n')[1] ?? '';
    };
    expect(await get('/app?x=1')).toBe('https://shop.example/app?x=1');
    expect(await get('/origin')).toBe('https://shop.example true');
  });

  it('a servlet is served over TLS: bodies both ways, keep-alive, pipelines, refusals', async () => {
    using servlets = new ServletDirectory({ echo: ECHO, large: LARGE });
    await using secure = await start({ servlets: servlets.path, limits: { bodyMaxBytes: 4_000_000 } });
    const { host } = secure;
    expect(host.url).toBe(`https://127.0.0.1:${host.port}`);
    const pipelined = await ask(
      await dial(host.port),
      'GET /echo HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /echo HTTP/1.0\r\n\r\n',
    );
    expect(pipelined.match(/(?:GET|POST) \d+/g)).toEqual(['GET 0', 'POST 3', 'GET 0']);
    const upload = await ask(
      await dial(host.port),
      `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\nConnection: close\r\n\r\n${'x'.repeat(3_000_000)}`,
    );
    expect(upload).toMatch(/POST 3000000$/);
    const large = await ask(await dial(host.port), 'GET /large HTTP/1.0\r\n\r\n');
    expect(large.split('\r\n\r\n')[1]).toHaveLength(160 * 65_536);
    expect(await ask(await dial(host.port), 'garbage\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    const tooLarge = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n';
    expect(await ask(await dial(host.port), tooLarge)).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('a client that has ended its side still gets its answer', async () => {
    using servlets = new ServletDirectory({
      slow: `export default () => new Promise((resolve) => setTimeout(resolve, 300, 'at last'));`,
    });
    await using secure = await start({ servlets: servlets.path });
    const socket = await dial(secure.host.port, { allowHalfOpen: true } as ConnectionOptions);
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    socket.end();
    expect(await ask(socket, '')).toMatch(/at last$/);
  });

  it('static files come over TLS, large ones too', async () => {
    using tree = new FileTree({ 'large.bin': Buffer.alloc(5_000_000, 'y') });
    await using secure = await start({ extraFilesPaths: [tree.path] });
    const answer = await ask(await dial(secure.host.port), 'GET /large.bin HTTP/1.0\r\n\r\n');
    expect(answer.split('\r\n\r\n')[1]).toBe('y'.repeat(5_000_000));
  });

  it('a certificate that changes is used by new connections, and the old ones live on', async () => {
    using tree = new FileTree({ 'x.txt': 'x' });
    await using secure = await start({ extraFilesPaths: [tree.path] });
    const { host, files } = secure;
    const old = await dial(host.port);
    expect(nameOf(old)).toBe('first');
    const next = makeCertificate(files.path, 'second');
    writeFileSync(secure.key, readFileSync(next.key));
    writeFileSync(secure.cert, readFileSync(next.cert));
    await eventually(
      () => nameNow(host.port),
      (name) => name === 'second',
      { ms: 15_000 },
    );
    expect(nameOf(old)).toBe('first');
    expect(await subjectBySClient(host.port)).toMatch(/CN ?= ?second$/m);
    expect(await ask(old, 'GET /x.txt HTTP/1.0\r\n\r\n')).toMatch(/\r\n\r\nx$/);
  });

  it('a new pair that is none leaves the old one in use, and is logged', async () => {
    using tree = new FileTree();
    const logDestination = join(tree.path, 'log');
    await using secure = await start({ log: 'events', logDestination });
    const { host, files } = secure;
    const other = makeCertificate(files.path, 'other');
    // The key of one and the certificate of another.
    writeFileSync(secure.cert, readFileSync(other.cert));
    const log = (): string => {
      try {
        return readFileSync(logDestination, 'utf8');
      } catch {
        return '';
      }
    };
    await eventually(log, (text) => text.includes('the key belongs to another certificate'), { ms: 15_000 });
    expect(await nameNow(host.port)).toBe('first');
    writeFileSync(secure.key, 'no PEM at all');
    await eventually(log, (text) => text.split('\n').filter((line) => line.includes('stays as it was')).length === 2, {
      ms: 15_000,
    });
    expect(await nameNow(host.port)).toBe('first');
    writeFileSync(secure.key, readFileSync(other.key));
    await eventually(
      () => nameNow(host.port),
      (name) => name === 'other',
      { ms: 15_000 },
    );
  });

  it('a stream for HTTP/1.0 that breaks off is reset beneath TLS, one that is whole just ends', async () => {
    using directory = new ServletDirectory({
      parts: `export default ({ query }) => ({ body: (async function* () {
        yield 'part';
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (query.has('broken')) throw new Error('broken');
      })() });`,
    });
    await using secure = await start({ servlets: directory.path, warmCells: 0 });
    const whole = await ask(await dial(secure.host.port), 'GET /parts HTTP/1.0\r\n\r\n');
    expect(whole).toMatch(/\r\n\r\npart$/);
    const broken = ask(await dial(secure.host.port), 'GET /parts?broken HTTP/1.0\r\n\r\n');
    await expect(broken).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('openssl s_client speaks with it, by TLS 1.2 and 1.3', async () => {
    using tree = new FileTree({ 'x.txt': 'spoken' });
    await using secure = await start({ extraFilesPaths: [tree.path] });
    for (const version of ['-tls1_2', '-tls1_3']) {
      const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${secure.host.port}`, version, '-quiet']);
      let said = '';
      client.stdout.setEncoding('latin1').on('data', (text: string) => (said += text));
      client.stdin.write('GET /x.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      await once(client, 'close');
      expect(said).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nspoken$/);
    }
  });

  it('who does not speak TLS, or nothing at all, is cut and counted, and counts as a connection meanwhile', async () => {
    await using secure = await start({ limits: { headTimeoutMs: 700, connectionsMaxCount: 2 } });
    const { host } = secure;
    const plain = connectPlain(host.port, '127.0.0.1').on('error', () => {});
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await once(plain, 'close');
    await eventually(
      () => host.ledger.refusals.get('REQUEST_TLS'),
      (count) => count === 1,
    );
    const silent = [0, 1].map(() => connectPlain(host.port, '127.0.0.1').on('error', () => {}));
    await eventually(
      () => host.custodian.describe().filter((label) => label.includes('handshake')).length,
      (count) => count === 2,
    );
    const third = connectPlain(host.port, '127.0.0.1').on('error', () => {});
    const begun = performance.now();
    await once(third, 'close');
    expect(performance.now() - begun).toBeLessThan(600);
    await Promise.all(silent.map((socket) => once(socket, 'close')));
    await eventually(
      () => host.custodian.describe().filter((label) => label.includes('handshake')).length,
      (count) => count === 0,
    );
    // There is room again, and a silent client behind the handshake is cut as any other.
    const socket = await dial(host.port);
    expect(await ask(socket, '')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('close({ graceMs }) lets a response over TLS finish', async () => {
    using servlets = new ServletDirectory({
      lines: `export default () => ({ body: (async function* () {
        for (let i = 0; i < 5; i++) { yield 'line\\n'; await new Promise((resolve) => setTimeout(resolve, 150)); }
      })() });`,
    });
    await using secure = await start({ servlets: servlets.path });
    const [socket, idle] = [await dial(secure.host.port), await dial(secure.host.port)];
    socket.write('GET /lines HTTP/1.1\r\nHost: a\r\n\r\n');
    // It has begun.
    await once(socket, 'readable');
    const closing = secure.host.close({ graceMs: 10_000 });
    expect((await ask(socket, '')).match(/line/g)).toHaveLength(5);
    await closing;
    idle.destroy();
  });

  it('half of a certificate, or one that is none, is a ConfigError', async () => {
    using files = new FileTree({ 'junk.pem': 'junk' });
    const { cert, key } = makeCertificate(files.path, 'a');
    const other = makeCertificate(files.path, 'b');
    const junk = join(files.path, 'junk.pem');
    for (const options of [
      { sslCert: cert },
      { sslKey: key },
      { sslCert: cert, sslKey: other.key },
      { sslCert: junk, sslKey: key },
      { sslCert: join(files.path, 'nowhere'), sslKey: key },
      { ssl: true, serverRootPath: files.path },
    ])
      await expect(serve(options)).rejects.toBeInstanceOf(ConfigError);
  });

  it('ssl takes the certificate from the server’s root', async () => {
    using files = new FileTree();
    const { cert, key } = makeCertificate(files.path, 'rooted');
    copyFileSync(cert, join(files.path, 'server-cert.pem'));
    copyFileSync(key, join(files.path, 'private-key.pem'));
    await using host = await serve({ ssl: true, serverRootPath: files.path });
    expect(await nameNow(host.port)).toBe('rooted');
  });
});
