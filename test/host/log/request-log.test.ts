import { readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatterOf, type LoggedRequest, type LoggedResponse } from '../../../packages/host/src/log/log-format.ts';
import { ConfigError, serve, type ServeOptions } from '../../../packages/host/src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { FileTree } from '../../support/file-tree.ts';
import { WireClient } from '../../support/wire-client.ts';

const AT = new Date('2026-11-21T06:01:45.5Z');
const request = (url = '/f.txt', headers: Record<string, string> = {}): LoggedRequest => ({
  method: 'GET',
  url,
  httpVersion: '1.1',
  clientIp: '127.0.0.1',
  hostIp: '127.0.0.9',
  hostPort: 80,
  header: (name) => headers[name],
});
const response: LoggedResponse = { status: 200, bodyBytes: 5, totalMs: 1.23456, at: AT, code: '' };

describe('formats of the request log', () => {
  it('apache-default is the Common Log Format', () => {
    const format = formatterOf('apache-default');
    expect(format(request(), response)).toBe('127.0.0.1 - - [21/Nov/2026:06:01:45 +0000] "GET /f.txt HTTP/1.1" 200 5');
    expect(format(request(), { ...response, status: 304, bodyBytes: 0 })).toMatch(/ 304 -$/);
  });

  it('combined has where the client came from and what it is', () => {
    const headers = { referer: 'http://a/"x"', 'user-agent': 'Mozilla\\5\u00e9' };
    expect(formatterOf('combined')(request('/', headers), response)).toMatch(
      / 200 5 "http:\/\/a\/\\"x\\"" "Mozilla\\\\5\\xe9"$/,
    );
    expect(formatterOf('combined')(request(), response)).toMatch(/ "-" "-"$/);
  });

  it('parenthesized-default and extended are what Racket can read', () => {
    expect(formatterOf('parenthesized-default')(request('/a"b'), response)).toBe(
      '(from "127.0.0.1" to "127.0.0.9" for "/a\\"b" at "Sat, 21 Nov 2026 06:01:45 GMT")',
    );
    expect(formatterOf('extended')(request('/a', { referer: 'r' }), response)).toBe(
      '((client-ip "127.0.0.1") (host-ip "127.0.0.9") (referer "r") (uri "/a") (time 1795240905))',
    );
    expect(formatterOf('extended')(request(), response)).toContain('(referer #f)');
  });

  it('json is an object a line', () => {
    expect(JSON.parse(formatterOf('json')(request(), { ...response, code: 'X' }))).toEqual({
      time: AT.getTime(),
      clientIp: '127.0.0.1',
      method: 'GET',
      url: '/f.txt',
      status: 200,
      code: 'X',
      bodyBytes: 5,
      totalMs: 1.235,
    });
  });

  it('a format that there is not is a ConfigError', () => {
    expect(() => formatterOf('apache' as never)).toThrow(ConfigError);
  });
});

describe('logFile', () => {
  const logged = async (
    options: Pick<ServeOptions, 'logFormat'>,
    act: (port: number) => Promise<void>,
    count: number,
  ): Promise<string[]> => {
    using tree = new FileTree({ 'x.txt': 'hello' });
    const logFile = join(tree.path, 'logs/access.log');
    await using host = await serve({ extraFilesPaths: [tree.path], logFile, ...options });
    await act(host.port);
    const lines = (): string[] => {
      try {
        return readFileSync(logFile, 'utf8').split('\n').slice(0, -1);
      } catch {
        return [];
      }
    };
    // Awaited here, before all of it is put away.
    return await eventually(lines, (found) => found.length >= count);
  };
  const send = async (port: number, bytes: string): Promise<void> => {
    const client = await WireClient.connect(port);
    client.write(bytes);
    await client.rest();
  };

  it('logFile has a line for each request: answered, refused, or not even readable', async () => {
    const lines = await logged(
      {},
      async (port) => {
        await send(port, 'GET /x.txt HTTP/1.0\r\n\r\n');
        await send(port, 'GET /"nobody HTTP/1.0\r\n\r\n');
        await send(port, 'HEAD /x.txt HTTP/1.0\r\n\r\n');
        await send(port, 'garbage\r\n\r\n');
      },
      4,
    );
    expect(lines.map((line) => line.replace(/\[.*?\]/, '[]'))).toEqual([
      '127.0.0.1 - - [] "GET /x.txt HTTP/1.0" 200 5',
      expect.stringMatching(/^127\.0\.0\.1 - - \[\] "GET \/\\"nobody HTTP\/1\.0" 404 \d+$/),
      '127.0.0.1 - - [] "HEAD /x.txt HTTP/1.0" 200 -',
      '127.0.0.1 - - [] "-" 400 -',
    ]);
  });

  it('logFormat may be a function; one that throws costs its line only', async () => {
    const lines = await logged(
      {
        logFormat: (asked, answered) => {
          if (asked.url === '/throw') throw new Error('no');
          return `${asked.header('X-Name')} ${answered.status}`;
        },
      },
      async (port) => {
        await send(port, 'GET /throw HTTP/1.0\r\n\r\n');
        await send(port, 'GET /x.txt HTTP/1.0\r\nX-Name: ada\r\n\r\n');
      },
      1,
    );
    expect(lines).toEqual(['ada 200']);
  });

  it('a log that was rotated away is opened anew, the host’s own as well, and no line is lost', async () => {
    using tree = new FileTree({ 'x.txt': 'hello' });
    const [logFile, logDestination] = [join(tree.path, 'access.log'), join(tree.path, 'host.log')];
    await using host = await serve({ extraFilesPaths: [tree.path], logFile, log: 'requests', logDestination });
    const read = (name: string): string => {
      try {
        return readFileSync(name, 'utf8');
      } catch {
        return '';
      }
    };
    const both = (ending: string, mark: string): Promise<boolean> =>
      eventually(
        () => [logFile, logDestination].every((name) => read(name + ending).includes(mark)),
        (has) => has,
        { ms: 10_000 },
      );
    await fetch(`${host.url}/x.txt?first`);
    await both('', 'first');
    // It has been seen by now which files are open.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    for (const name of [logFile, logDestination]) renameSync(name, `${name}.1`);
    for (let count = 0; count < 40; count++) {
      await fetch(`${host.url}/x.txt?n=${count}.`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await host.close();
    for (const name of [logFile, logDestination]) {
      const [before, after] = [read(`${name}.1`), read(name)];
      expect(after).toContain('n=39.');
      // An address may be all that it takes to go on with a visit.
      expect(statSync(name).mode & 0o007).toBe(0);
      for (let count = 0; count < 40; count++) expect(before + after).toContain(`n=${count}.`);
    }
  });
});
