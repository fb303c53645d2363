/** What attacks have not thought of: a guest taps all prototypes and functions that it reaches, and sees what of Node comes by. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Profile } from '../../packages/host/src/index.ts';
import { HostProcess } from '../support/host-process.ts';
import { otherNode } from '../support/other-node.ts';
import type { Find } from './crawl/tap.ts';

const SERVLET = fileURLToPath(new URL('crawl/crawl.ts', import.meta.url));
const WORK =
  'text log body stream large fetch files imports code timers streams crypto errors garbage page suspends text log';
const NODES = [
  { name: `Node ${process.version}`, path: process.execPath },
  ...otherNode(26).map((path) => ({ name: 'Node 26', path })),
];
/** Kinds that a servlet without walls comes by, or reaches, on each Node. */
const SEEN = [
  'handle of a stream',
  'socket',
  'port',
  'process',
  'channel of diagnostics',
  'module',
  'job of a module',
  'loader of modules',
  'CommonJS module',
  'class of CommonJS modules',
  'sockets',
  'files',
];

let site: Server;
let origin = '';

beforeAll(async () => {
  site = createServer((request, response) => void request.resume().on('end', () => response.end('site')));
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
});

afterAll(() => {
  site.closeAllConnections();
  site.close();
});

/** What comes by a servlet of that profile. */
async function crawl(node: string, profile: Profile): Promise<Find[]> {
  const fetched = profile === 'guest' ? { fetch: { origins: [origin], addresses: ['127.0.0.0/8'] } } : {};
  await using host = await HostProcess.start(node, {
    servlets: [{ file: SERVLET, profile, unit: 'servlet', spareThreads: 0, ...fetched }],
    limits: { heapMb: 150, cpuMs: 20_000, wallMs: 20_000 },
  });
  const ask = async (what: string): Promise<string> => {
    const url = `http://127.0.0.1:${host.port}/crawl?do=${what}&site=${origin}`;
    const answer = await fetch(url, what === 'body' ? { method: 'POST', body: 'x'.repeat(300_000) } : {});
    const text = await answer.text();
    expect.soft(answer.status, `${what}: ${text.slice(0, 3000)}`).toBe(what === 'errors' ? 500 : 200);
    return text;
  };
  await ask('install');
  for (const what of WORK.split(' ')) await ask(what);
  const finds = JSON.parse(await ask('found')) as Find[];
  expect(await host.deaths('crawl')).toBe(0);
  return finds;
}

describe.each(NODES)('under $name', ({ path }) => {
  test('nothing of the inside of Node and of the runtime comes by a guest', async () => {
    const finds = await crawl(path, 'guest');
    // Its own, as soon as it imports it: SECURITY.md.
    const rest = finds.filter(({ kind, where }) => kind !== 'module' || where !== 'argument of what is awaited.module');
    expect(rest).toEqual([]);
  }, 60_000);

  test('without the walls all of it does, so that it would be seen', async () => {
    const found = new Set((await crawl(path, 'trusted')).map(({ kind }) => kind));
    expect([...found]).toEqual(expect.arrayContaining(SEEN));
  }, 60_000);
});
