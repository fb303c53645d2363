import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { renameSync, symlinkSync, truncateSync, unlinkSync, utimesSync } from 'node:fs';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, dispatchers, type FilesOptions, type Host, serve } from '../../../packages/host/src/index.ts';
import { FileTree } from '../../support/file-tree.ts';
import { eventually } from '../../support/eventually.ts';
import { descriptorsOf } from '../../support/process-tree.ts';
import { WireClient, type WireResponse } from '../../support/wire-client.ts';

const DIGITS = '0123456789';
const OLD = new Date('2026-01-02T03:04:05.678Z');
const LAST_MODIFIED = 'Fri, 02 Jan 2026 03:04:05 GMT';

let outside: FileTree;
let tree: FileTree;
let host: Host;
const clients: WireClient[] = [];

beforeAll(async () => {
  outside = new FileTree({ 'secret.txt': 'outside', 'public/x.txt': 'neighbour' });
  tree = new FileTree({
    'digits.txt': DIGITS,
    'empty.txt': '',
    'page.html': '<p>é',
    README: 'no ending',
    'a b&c.txt': 'spaces',
    'é.txt': 'accent',
    'index.html': 'the index',
    'sub/index.htm': 'sub index',
    'bare/x.txt': 'x',
    '.env': 'dot file',
    '.git/config': 'dot directory',
    'data.json': '{}',
  });
  utimesSync(join(tree.path, 'digits.txt'), OLD, OLD);
  symlinkSync(join(outside.path, 'secret.txt'), join(tree.path, 'leak.txt'));
  symlinkSync(outside.path, join(tree.path, 'leaks'));
  symlinkSync('digits.txt', join(tree.path, 'link.txt'));
  symlinkSync('.env', join(tree.path, 'alias.txt'));
  symlinkSync('loop', join(tree.path, 'loop'));
  execFileSync('mkfifo', [join(tree.path, 'fifo')]);
  host = await serve({ extraFilesPaths: [tree.path] });
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await host.close();
  assert.deepEqual(host.custodian.describe(), []);
  tree[Symbol.dispose]();
  outside[Symbol.dispose]();
});

async function ask(
  target: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<WireResponse> {
  const client = await WireClient.connect(host.port);
  clients.push(client);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  client.write(`${method} ${target} HTTP/1.1\r\nHost: a\r\n${lines.join('')}Connection: close\r\n\r\n`);
  const response = await client.response(method);
  await client.closed();
  return response;
}

const get = (response: WireResponse, name: string): string | undefined => response.headers.get(name)?.join(' | ');
const text = (response: WireResponse): string => response.body.toString();

describe('files()', () => {
  it('files() sends a file with its type, length, age and tag', async () => {
    const response = await ask('/digits.txt?x=1');
    expect([response.status, text(response)]).toEqual([200, DIGITS]);
    expect(get(response, 'content-type')).toBe('text/plain; charset=utf-8');
    expect(get(response, 'content-length')).toBe('10');
    expect(get(response, 'last-modified')).toBe(LAST_MODIFIED);
    expect(get(response, 'etag')).toMatch(/^"[\w-]+"$/);
    expect(get(response, 'accept-ranges')).toBe('bytes');
    expect(get(response, 'cache-control')).toBeUndefined();
  });

  it('files() answers HEAD with the same head and no body', async () => {
    const [got, head] = [await ask('/digits.txt'), await ask('/digits.txt', {}, 'HEAD')];
    const lines = (response: WireResponse): string => response.head.replace(/Date: .*\r\n/, '');
    expect(lines(head)).toBe(lines(got));
    expect(head.body.length).toBe(0);
  });

  it('files() sends an empty file', async () => {
    const response = await ask('/empty.txt');
    expect([response.status, get(response, 'content-length'), text(response)]).toEqual([200, '0', '']);
  });

  it('files() sends a file of no known ending without a type', async () => {
    expect(get(await ask('/README'), 'content-type')).toBeUndefined();
  });

  it.each([
    ['/a%20b&c.txt', 'spaces'],
    ['/a%20b%26c.txt', 'spaces'],
    ['/%C3%A9.txt', 'accent'],
    ['//digits.txt', DIGITS],
    ['/bare//x.txt', 'x'],
    ['http://example.org/digits.txt', DIGITS],
    ['/digits.txt;k=1', DIGITS],
    ['/link.txt', DIGITS],
  ])('files() finds %s', async (target, content) => expect(text(await ask(target))).toBe(content));

  it('files() answers for a directory with its index', async () => {
    expect(text(await ask('/'))).toBe('the index');
    expect(text(await ask('/sub/'))).toBe('sub index');
    expect((await ask('/bare/')).status).toBe(404);
  });

  it.each([
    ['/sub', '/sub/'],
    ['/sub?a=b', '/sub/?a=b'],
    ['//sub', '/sub/'],
    ['///sub', '/sub/'],
  ])('files() sends %s on to %s', async (target, location) => {
    const response = await ask(target);
    expect([response.status, get(response, 'location')]).toEqual([302, location]);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('files() leaves %s to others', async (method) => {
    expect((await ask('/digits.txt', {}, method)).status).toBe(404);
  });

  it.each([
    '/nothing.txt',
    '/digits.txt/',
    '/digits.txt/x',
    '/../secret.txt',
    `/../${'x'.repeat(10)}/secret.txt`,
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%2fsecret.txt',
    '/sub/../digits.txt',
    '/sub/%2e%2e/digits.txt',
    '/..\\secret.txt',
    '/sub%5c..%5cdigits.txt',
    '/digits.txt%00.html',
    '/%c0%ae%c0%ae/secret.txt',
    '/%252e%252e/secret.txt',
    '/leak.txt',
    '/leaks/secret.txt',
    '/leaks/',
    '/leaks/public/x.txt',
    '/loop',
    '/fifo',
    '/.env',
    '/.git/config',
    '/%2eenv',
    '/./.env',
    '/alias.txt',
    `/${'n'.repeat(300)}.txt`,
    `/${'d/'.repeat(2000)}x`,
    '/%ff.txt',
  ])('files() has nothing at %s', async (target) => {
    expect((await ask(target)).status).toBe(404);
  });

  it('files() never sends what lies outside, by whatever target', async () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '%2e',
      '%2E',
      '/',
      '%2f',
      '\\',
      '%5c',
      '%00',
      ';',
      '//',
      'sub',
      'leaks',
      'leak.txt',
      'secret.txt',
      '%25',
      '?',
      '.env',
      'public',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 8 }), async (pieces) => {
        const body = text(await ask(`/${pieces.join('')}`));
        expect(body).not.toContain('outside');
        expect(body).not.toContain('neighbour');
        expect(body).not.toContain('dot ');
      }),
      { numRuns: 150 },
    );
  });

  it('files() refuses what is no directory, and options that are none', () => {
    const { files } = dispatchers;
    expect(() => files({ root: join(tree.path, 'digits.txt') })).toThrow(ConfigError);
    expect(() => files({ root: '/nonexistent' })).toThrow(ConfigError);
    expect(() => files({ root: tree.path, rooot: 1 } as FilesOptions)).toThrow(ConfigError);
    expect(() => files({ root: tree.path, indexes: ['a'] } as FilesOptions)).toThrow(
      'Cannot serve files: unknown key "indexes" (did you mean "indices"?)',
    );
    expect(() => files({ root: tree.path, cache: { max_age: 1 } as never })).toThrow('did you mean "cache.maxAge"?');
    expect(() => files({ root: tree.path, indices: 'a.html' as never })).toThrow('indices is not a list');
    expect(() => files({ at: 'x' } as never)).toThrow('root is missing');
    expect(() => files(tree.path as never)).toThrow('it is not an object');
    expect(() => files({ root: tree.path, cache: { maxAge: -1 } })).toThrow(TypeError);
  });
});

describe('ranges of a file', () => {
  it('rangesMaxCount is how many parts a request may ask for; of more, it gets the whole file', async () => {
    await using strict = await serve({ extraFilesPaths: [tree.path], limits: { rangesMaxCount: 2 } });
    const statusFor = async (range: string): Promise<number> =>
      (await fetch(`${strict.url}/digits.txt`, { headers: { Range: `bytes=${range}` } })).status;
    expect([await statusFor('0-0,2-2'), await statusFor('0-0,2-2,4-4')]).toEqual([206, 200]);
  });

  it.each([
    ['bytes=0-4', '01234', 'bytes 0-4/10'],
    ['bytes=5-', '56789', 'bytes 5-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=0-100', DIGITS, 'bytes 0-9/10'],
    ['bytes=9-9', '9', 'bytes 9-9/10'],
    ['bytes=100-200,0-0', '0', 'bytes 0-0/10'],
  ])('%s is one part', async (range, content, contentRange) => {
    const response = await ask('/digits.txt', { Range: range });
    expect([response.status, text(response)]).toEqual([206, content]);
    expect(get(response, 'content-range')).toBe(contentRange);
    expect(get(response, 'content-type')).toBe('text/plain; charset=utf-8');
    expect(get(response, 'content-length')).toBe(String(content.length));
  });

  it.each(['bytes=10-', 'bytes=100-200', 'bytes=-0'])('%s can not be satisfied', async (range) => {
    const response = await ask('/digits.txt', { Range: range });
    expect([response.status, get(response, 'content-range')]).toEqual([416, 'bytes */10']);
    expect(text(response)).toContain('REQUEST_RANGE');
  });

  it.each(['junk', 'bytes=5-2', 'lines=0-4', 'bytes=', `bytes=${'0-0,'.repeat(101)}`])(
    '%s is ignored',
    async (range) => {
      const response = await ask('/digits.txt', { Range: range });
      expect([response.status, text(response)]).toEqual([200, DIGITS]);
    },
  );

  it('several ranges are a multipart, each part with one head', async () => {
    const response = await ask('/digits.txt', { Range: 'bytes=0-1,4-5,-2' });
    expect(response.status).toBe(206);
    expect(get(response, 'content-range')).toBeUndefined();
    const [, boundary = ''] =
      /^multipart\/byteranges; boundary=([\w-]{10,})$/.exec(get(response, 'content-type') ?? '') ?? [];
    const part = (range: string, content: string): string =>
      `--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ${range}/10\r\n\r\n${content}\r\n`;
    expect(text(response)).toBe(`${part('0-1', '01')}${part('4-5', '45')}${part('8-9', '89')}--${boundary}--\r\n`);
    expect(get(response, 'content-length')).toBe(String(response.body.length));
  });

  it('several ranges of a file of no known type have no Content-Type each', async () => {
    const response = await ask('/README', { Range: 'bytes=0-0,2-2' });
    expect(text(response).match(/Content-/g)).toHaveLength(2);
  });

  it('a range is for GET only', async () => {
    const response = await ask('/digits.txt', { Range: 'bytes=0-4' }, 'HEAD');
    expect([response.status, get(response, 'content-length')]).toEqual([200, '10']);
  });

  it('If-Range has the whole sent when it names another version', async () => {
    const etag = get(await ask('/digits.txt'), 'etag') as string;
    const statusFor = async (ifRange: string): Promise<number> =>
      (await ask('/digits.txt', { Range: 'bytes=0-4', 'If-Range': ifRange })).status;
    expect(await statusFor(etag)).toBe(206);
    expect(await statusFor(LAST_MODIFIED)).toBe(206);
    expect(await statusFor(`W/${etag}`)).toBe(200);
    expect(await statusFor('"other"')).toBe(200);
    expect(await statusFor('Fri, 02 Jan 2026 03:04:06 GMT')).toBe(200);
  });
});

describe('conditions on a file', () => {
  it('If-None-Match and If-Modified-Since are answered with 304, and no body or type', async () => {
    const etag = get(await ask('/digits.txt'), 'etag') as string;
    for (const headers of [
      { 'If-None-Match': etag },
      { 'If-None-Match': `"x", W/${etag}` },
      { 'If-Modified-Since': LAST_MODIFIED },
    ]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await ask('/digits.txt', headers, method);
        expect([response.status, response.body.length, get(response, 'etag')]).toEqual([304, 0, etag]);
        expect(get(response, 'content-length')).toBeUndefined();
        expect(get(response, 'content-type')).toBeUndefined();
      }
    }
    expect((await ask('/digits.txt', { 'If-None-Match': '"x"', 'If-Modified-Since': LAST_MODIFIED })).status).toBe(200);
  });

  it('If-Match and If-Unmodified-Since are answered with 412, before a range is looked at', async () => {
    const response = await ask('/digits.txt', { 'If-Match': '"x"', Range: 'bytes=100-' });
    expect(response.status).toBe(412);
    expect((await ask('/digits.txt', { 'If-Unmodified-Since': 'Fri, 02 Jan 2026 03:04:04 GMT' })).status).toBe(412);
    expect((await ask('/digits.txt', { 'If-Match': '*' })).status).toBe(200);
  });

  it('conditions on what is not there change nothing', async () => {
    expect((await ask('/nothing', { 'If-Match': '"x"' })).status).toBe(404);
    expect((await ask('/sub', { 'If-None-Match': '*' })).status).toBe(302);
  });

  it('a tag changes with the file, and is weak while that is fresh', async () => {
    tree.write('fresh.txt', 'one');
    const first = get(await ask('/fresh.txt'), 'etag') as string;
    expect(first).toMatch(/^W\/"/);
    tree.write('fresh.txt', 'two');
    const second = get(await ask('/fresh.txt'), 'etag') as string;
    expect(second).not.toBe(first);
    const age = new Date(Date.now() - 5000);
    utimesSync(join(tree.path, 'fresh.txt'), age, age);
    expect(get(await ask('/fresh.txt'), 'etag')).toMatch(/^"/);
  });
});

describe('options of files()', () => {
  const seen = async (options: Omit<FilesOptions, 'root'>, target: string): Promise<Response> => {
    await using other = await serve({ dispatchers: [dispatchers.files({ root: tree.path, ...options })] });
    const response = await fetch(`${other.url}${target}`, { redirect: 'manual' });
    await response.clone().arrayBuffer();
    return response;
  };

  it('cache makes one Cache-Control header, and headers more of them', async () => {
    const response = await seen(
      { cache: { maxAge: 60, public: true, immutable: true }, headers: (path) => ({ 'X-File': path.slice(-10) }) },
      '/digits.txt',
    );
    expect(response.headers.get('cache-control')).toBe('immutable, max-age=60, public');
    expect(response.headers.get('x-file')).toBe('digits.txt');
  });

  it('at puts the directory below a path', async () => {
    expect(await (await seen({ at: '/static/files/' }, '/static/files/digits.txt')).text()).toBe(DIGITS);
    expect((await seen({ at: 'static' }, '/static')).headers.get('location')).toBe('/static/');
    expect(await (await seen({ at: 'static' }, '/static/')).text()).toBe('the index');
    expect((await seen({ at: 'static' }, '/digits.txt')).status).toBe(404);
  });

  it('dotFiles lets dot files be seen, all or some', async () => {
    expect(await (await seen({ dotFiles: true }, '/.env')).text()).toBe('dot file');
    expect(await (await seen({ dotFiles: true }, '/alias.txt')).text()).toBe('dot file');
    expect(await (await seen({ dotFiles: ['.git'] }, '/.git/config')).text()).toBe('dot directory');
    expect((await seen({ dotFiles: ['.git'] }, '/.env')).status).toBe(404);
  });

  it('etag says how sure the tag is, or that there is none', async () => {
    expect((await seen({ etag: 'weak' }, '/digits.txt')).headers.get('etag')).toMatch(/^W\/"/);
    expect((await seen({ etag: false }, '/digits.txt')).headers.get('etag')).toBeNull();
  });

  it('indices and mimeTypesPath', async () => {
    const types = outside.write('types', 'text/x-digits txt');
    expect(await (await seen({ indices: ['x.txt', 'nothing'] }, '/bare/')).text()).toBe('x');
    expect((await seen({ mimeTypesPath: types }, '/digits.txt')).headers.get('content-type')).toBe(
      'text/x-digits; charset=utf-8',
    );
  });
});

describe('large files', () => {
  const MB = 1 << 20;

  /** Asks for a file and reads nothing of it until `read()` is called, which counts what comes. */
  async function patient(port: number, target: string): Promise<{ socket: Socket; read(): Promise<number> }> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    return {
      socket,
      read: async () => {
        let bytes = 0;
        socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
        socket.resume();
        await once(socket, 'close');
        return bytes;
      },
    };
  }

  const openFiles = (of: Host, name: string): number =>
    of.custodian.describe().filter((label) => label.includes(name)).length;
  const isOpen = (name: string): Promise<number> =>
    eventually(
      () => openFiles(host, name),
      (open) => open === 1,
    );

  async function bytesOf(target: string, headers: Readonly<Record<string, string>> = {}): Promise<Buffer> {
    const response = await fetch(`${host.url}${target}`, { headers });
    const body = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get('content-length')).toBe(String(body.length));
    return body;
  }

  it('a large file comes whole, from the first to the last byte, and in parts', async () => {
    const content = Buffer.alloc(8 * MB);
    for (let at = 0; at < content.length; at += 4) content.writeUInt32BE(at, at);
    tree.write('large.bin', content);
    expect((await bytesOf('/large.bin')).equals(content)).toBe(true);
    const part = await bytesOf('/large.bin', { Range: `bytes=${MB + 1}-${5 * MB}` });
    expect(part.equals(content.subarray(MB + 1, 5 * MB + 1))).toBe(true);
    const parts = await bytesOf('/large.bin', { Range: `bytes=0-${MB},${2 * MB}-${3 * MB}` });
    expect(parts.includes(content.subarray(2 * MB, 3 * MB + 1))).toBe(true);
  });

  it('a client that does not read holds up neither the host nor much of its memory, and is cut in the end', async () => {
    tree.write('huge.bin', Buffer.alloc(32 * MB));
    await using other = await serve({ extraFilesPaths: [tree.path], limits: { sendTimeoutMs: 1500 } });
    const before = process.memoryUsage();
    const clients = await Promise.all(Array.from({ length: 20 }, () => patient(other.port, '/huge.bin')));
    await eventually(
      () => openFiles(other, 'huge'),
      (open) => open === 20,
    );
    await sleep(300);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(20 * MB);
    expect((await fetch(`${other.url}/digits.txt`)).status).toBe(200);
    await eventually(
      () => openFiles(other, 'huge'),
      (open) => open === 0,
    );
    for (const { socket } of clients) socket.destroy();
  });

  it('a file that shrinks while it is sent is cut, so that nobody takes it for whole', async () => {
    const path = tree.write('shrinking.bin', Buffer.alloc(32 * MB));
    const client = await patient(host.port, '/shrinking.bin');
    await isOpen('shrinking');
    await sleep(100);
    truncateSync(path, MB);
    expect(await client.read()).toBeLessThan(32 * MB);
    expect((await bytesOf('/shrinking.bin')).length).toBe(MB);
  });

  it('a file that is replaced while it is sent comes as it was', async () => {
    const path = tree.write('replaced.bin', Buffer.alloc(16 * MB, 'a'));
    const client = await patient(host.port, '/replaced.bin');
    await isOpen('replaced');
    renameSync(outside.write('new.bin', Buffer.alloc(MB, 'b')), path);
    expect(await client.read()).toBeGreaterThan(16 * MB);
    expect((await bytesOf('/replaced.bin')).equals(Buffer.alloc(MB, 'b'))).toBe(true);
  });

  it('a client that goes away leaves no descriptor', async () => {
    const before = descriptorsOf(process.pid).length;
    for (let count = 0; count < 20; count++) {
      const { socket } = await patient(host.port, '/huge.bin');
      await sleep(count);
      socket.destroy();
    }
    const left = await eventually(
      () => [descriptorsOf(process.pid).length <= before, openFiles(host, 'file /')],
      ([isBack, open]) => isBack === true && open === 0,
    );
    expect(left).toEqual([true, 0]);
  });
});

describe('fileCacheMb', () => {
  const textOf = async (target: string): Promise<string> => (await fetch(`${host.url}${target}`)).text();
  const settle = (path: string, seconds = 60): void => {
    const then = new Date(Date.now() - seconds * 1000);
    utimesSync(path, then, then);
  };
  /** Long enough after a file's change for it to be kept. */
  const SETTLED_MS = 2100;

  it('a small file that was kept is not sent as it was once it has changed, moved, or may not be read', async () => {
    const path = tree.write('kept.txt', 'one');
    tree.write('other.txt', 'two');
    settle(path);
    await sleep(SETTLED_MS);
    expect([await textOf('/kept.txt'), await textOf('/kept.txt')]).toEqual(['one', 'one']);
    // The same length, and its time of change set back.
    tree.write('kept.txt', 'ONE');
    settle(path);
    expect(await textOf('/kept.txt')).toBe('ONE');
    await sleep(SETTLED_MS);
    expect(await textOf('/kept.txt')).toBe('ONE');
    renameSync(join(tree.path, 'other.txt'), path);
    expect(await textOf('/kept.txt')).toBe('two');
    await sleep(SETTLED_MS);
    expect(await textOf('/kept.txt')).toBe('two');
    unlinkSync(path);
    symlinkSync(join(outside.path, 'secret.txt'), path);
    expect((await fetch(`${host.url}/kept.txt`)).status).toBe(404);
    unlinkSync(path);
    expect((await fetch(`${host.url}/kept.txt`)).status).toBe(404);
  });

  it('a file that was kept is sent in parts as well', async () => {
    expect(text(await ask('/digits.txt'))).toBe(DIGITS);
    expect(text(await ask('/digits.txt', { Range: 'bytes=2-3' }))).toBe('23');
    expect(text(await ask('/digits.txt', { Range: 'bytes=2-3,5-6' }))).toContain('\r\n\r\n56\r\n');
  });
});

describe('a root that is a link', () => {
  it('files() follows it when it leads to another directory', async () => {
    using releases = new FileTree({ 'one/x.txt': 'one', 'two/x.txt': 'two' });
    const current = join(releases.path, 'current');
    symlinkSync('one', current);
    await using other = await serve({ extraFilesPaths: [current] });
    expect(await (await fetch(`${other.url}/x.txt`)).text()).toBe('one');
    symlinkSync('two', `${current}.new`);
    renameSync(`${current}.new`, current);
    expect(await (await fetch(`${other.url}/x.txt`)).text()).toBe('two');
  });
});
