import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOUNDARY, formBody, formRequest } from '../support/form-body.ts';
import { type HeldAs, StartedHost } from '../support/started-host.ts';

const run = promisify(execFile);

const SERVLETS = {
  show: `
    export default async (request) => {
      const bindings = [];
      for (const [name, value] of request.bindings)
        bindings.push(typeof value === 'string' ? [name, value] : [name, value.filename, value.size, await value.text(), value.headers]);
      return JSON.stringify({ bindings, raw: await request.text(), headers: request.headers });
    };`,
  limited: `export default ({ bindings }) => String(bindings.files().length);`,
};

interface Seen {
  bindings: unknown[][];
  raw: string;
  headers: [string, string][];
}

let started: StartedHost;

beforeAll(async () => {
  const heldAs: HeldAs = {
    show: { cell: 'one', spareThreads: 0 },
    limited: { cell: 'one', spareThreads: 0, limits: { formFilesMaxCount: 2, formFileMaxBytes: 100_000 } },
  };
  started = await StartedHost.start(SERVLETS, { limits: { wallMs: 60_000 } }, heldAs);
});

afterAll(() => started[Symbol.asyncDispose]());

async function seenOf(request: string | Buffer): Promise<Seen> {
  const client = await started.connect();
  client.write(request);
  return JSON.parse((await client.response()).body.toString()) as Seen;
}

describe('conformance: requests', () => {
  it('C080 bindings of the body come before those of the query, and the raw body is kept', async () => {
    const body = 'a=1&b=2&c&d=&a=3';
    const { bindings, raw } = await seenOf(
      `POST /show?a=q&z=9 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(bindings).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['c', ''],
      ['d', ''],
      ['a', '3'],
      ['a', 'q'],
      ['z', '9'],
    ]);
    expect(raw).toBe(body);
  });

  it('C082 percent and plus are decoded', async () => {
    const { bindings } = await seenOf('GET /show?x=%26encoded%3D&y=hi+there HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(bindings).toEqual([
      ['x', '&encoded='],
      ['y', 'hi there'],
    ]);
  });

  it('C083 a multipart form has the query first, then its parts with their headers', async () => {
    const body = formBody([
      { name: 'a', content: '1' },
      { name: 'f', filename: 'n.txt', type: 'text/x-own', content: 'hello\r\nworld' },
    ]);
    expect((await seenOf(formRequest('/show?q=1', body))).bindings).toEqual([
      ['q', '1'],
      ['a', '1'],
      [
        'f',
        'n.txt',
        12,
        'hello\r\nworld',
        [
          ['content-disposition', 'form-data; name="f"; filename="n.txt"'],
          ['content-type', 'text/x-own'],
        ],
      ],
    ]);
  });

  it.each([
    [1, 10, 200],
    [2, 10, 200],
    [3, 10, 413],
    [1, 100_001, 413],
  ])('C084 %d files of %d bytes, of at most 2 and 100000, are answered with %d', async (count, bytes, status) => {
    const content = 'x'.repeat(bytes);
    const parts = Array.from({ length: count }, () => ({ name: 'f', filename: 'f', content }));
    const client = await started.connect();
    client.write(formRequest('/limited', formBody(parts)));
    const response = await client.response();
    expect([response.status, response.headers.get('connection')]).toEqual([
      status,
      status === 200 ? undefined : ['close'],
    ]);
  });

  it('C084 an upload that never ends is refused while it is being sent, and its connection is closed', async () => {
    const client = await started.connect();
    const type = `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\n`;
    client.write(`POST /limited HTTP/1.1\r\nHost: a\r\n${type}Transfer-Encoding: chunked\r\n\r\n`);
    const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n`;
    client.write(`${head.length.toString(16)}\r\n${head}\r\n`);
    // Nobody waits for its end: the answer comes while it goes on.
    const piece = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const sending = setInterval(() => client.write(piece), 5);
    try {
      const response = await client.response();
      expect([response.status, response.headers.get('connection')]).toEqual([413, ['close']]);
      expect(response.body.toString()).toContain('LIMIT_FORM_FILE');
      await client.closed();
    } finally {
      clearInterval(sending);
    }
  });

  it('C086 a chunked body is joined, and has a length when it is there as a whole', async () => {
    const { raw, headers } = await seenOf(
      'POST /show HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n',
    );
    expect(raw).toBe('abcde');
    expect(headers).toEqual([
      ['Host', 'a'],
      ['Content-Length', '5'],
    ]);
  });

  it('C083 curl -F sends fields and files that arrive as they are', async (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'custodian-curl-'));
    try {
      const file = join(directory, 'ü.bin');
      writeFileSync(file, 'a\r\n--b');
      const args = ['-sS', '-F', 'a=1', '-F', `f=@${file};type=x/y`, `${started.url}/show?q=1`];
      const { stdout } = await run('curl', args).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') context.skip('curl is not installed');
        throw error;
      });
      const { bindings } = JSON.parse(stdout) as Seen;
      expect(bindings.map((binding) => binding.slice(0, 4))).toEqual([
        ['q', '1'],
        ['a', '1'],
        ['f', 'ü.bin', 6, 'a\r\n--b'],
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
