import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';

const HELLO = `export default () => 'hello';`;
const READER = `
  export default async (request) => {
    let bytes = 0;
    for await (const piece of request.body) bytes += piece.length;
    return String(bytes);
  }`;
const KB = 1024;

describe('what the host refuses', () => {
  const refusals: [name: string, request: string, status: number, code: string][] = [
    ['an unknown page', 'GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'REQUEST_NOT_FOUND'],
    ['garbage', 'garbage\r\n\r\n', 400, 'REQUEST_MALFORMED'],
    ['a body too large', 'POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n', 413, 'LIMIT_BODY'],
    ['a target too long', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'LIMIT_REQUEST_LINE'],
    ['an expectation', 'GET /hello HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n', 417, 'REQUEST_EXPECTATION'],
  ];

  it.each(refusals)('%s is counted in the ledger and has a line in the log', async (_name, request, status, code) => {
    const directory = mkdtempSync(join(tmpdir(), 'custodian-log-'));
    const logDestination = join(directory, 'log');
    await using started = await StartedHost.start({ hello: HELLO }, { log: 'requests', logDestination });
    const client = await started.connect();
    client.write(request);
    expect((await client.response()).status).toBe(status);
    expect([...started.host.ledger.refusals]).toEqual([[code, 1]]);
    const lines = await eventually(
      () =>
        (existsSync(logDestination) ? readFileSync(logDestination, 'utf8') : '')
          .split('\n')
          .filter((line) => line.includes(code))
          .map((line) => JSON.parse(line) as object),
      (found) => found.length > 0,
    );
    expect(lines).toEqual([expect.objectContaining({ code, status, clientIp: '127.0.0.1' })]);
    rmSync(directory, { recursive: true });
  });

  it('a servlet that fails is counted too, once', async () => {
    await using started = await StartedHost.start({ throws: `export default () => { throw new Error('no'); };` });
    expect((await fetch(`${started.url}/throws`)).status).toBe(500);
    expect([...started.host.ledger.refusals]).toEqual([['SERVLET_ERROR', 1]]);
    expect(started.host.ledger.account('throws')).toMatchObject({ requests: 1, failures: 1 });
  });
});

describe('bufferedBodiesMb', () => {
  it('bufferedBodiesMb refuses the body that goes over it, and what it held is free again', async () => {
    await using started = await StartedHost.start({ reader: READER }, { limits: { bufferedBodiesMb: 0.5 } });
    const post = `POST /reader HTTP/1.1\r\nHost: a\r\nContent-Length: ${200 * KB}\r\n\r\n`;
    const clients = [];
    // Four halves of bodies that never come, 100 KB each, and a fifth and a sixth that go over 512 KB.
    for (let count = 0; count < 6; count++) {
      const client = await started.connect();
      await client.send(post + 'a'.repeat(100 * KB));
      clients.push(client);
    }
    const refused = await Promise.race(clients.map(async (client) => ({ client, response: await client.response() })));
    expect(refused.response.status).toBe(503);
    expect(refused.response.body.toString()).toContain('LIMIT_BUFFERED_BODIES');
    expect(refused.response.headers.get('retry-after')).toEqual(['1']);
    for (const client of clients) client.destroy();
    await eventually(
      () => started.host.custodian.describe().filter((label) => label.includes('connection')),
      (connections) => connections.length === 0,
    );
    // All of it is there for one, time and again.
    for (let count = 0; count < 3; count++) {
      const answer = await fetch(`${started.url}/reader`, { method: 'POST', body: 'a'.repeat(400 * KB) });
      expect(await answer.text()).toBe(String(400 * KB));
    }
  });

  it('bufferedBodiesMb is no limit for a body that has a thread', async () => {
    await using started = await StartedHost.start(
      { reader: READER },
      { limits: { bufferedBodiesMb: 0.5, bodyMaxBytes: 1e8 } },
    );
    const answer = await fetch(`${started.url}/reader`, { method: 'POST', body: 'a'.repeat(20_000 * KB) });
    expect(await answer.text()).toBe(String(20_000 * KB));
  });
});
