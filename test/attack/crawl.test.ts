/** What attacks have not thought of: a guest taps all prototypes and functions that it reaches, and sees what of Node comes by. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Profile, ServletOptions } from '../../packages/host/src/index.ts';
import { HostProcess } from '../support/host-process.ts';
import { otherNode } from '../support/other-node.ts';
import { continuationsOf, type Shown, Visitor } from '../support/visitor.ts';
import { CLOSED_MODULE } from './crawl/inner.ts';
import type { Find } from './crawl/tap.ts';

const NODE_WORK =
  'text log body stream large fetch files imports code timers streams crypto errors garbage page suspends pressure';
const LIBRARY_WORK =
  'page pending template markup cookies who rules passes events written answers fields upload box account stuffers fails late';
const FLOW_WORK =
  'suspends dispatches counted hidden forwards many captures natives forms ends backs catches makerFails expires';
/** What each servlet of a guest does, by its module's name; taps are put on at its first request, or before it is loaded. */
const GUESTS = {
  crawl: `install ${NODE_WORK} ${LIBRARY_WORK} ${FLOW_WORK} exit text log`,
  stateless: `text ${LIBRARY_WORK} ${FLOW_WORK} errors garbage exit text`,
  checkpointed: `text ${LIBRARY_WORK} ${FLOW_WORK} errors garbage exit text`,
  web: 'text body upload stream fetched',
};
const STATUSES: Readonly<Record<string, number>> = { errors: 500, fails: 500, makerFails: 500, passes: 404 };
/** The longest flow has less. */
const PAGES_MAX_COUNT = 10;
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

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume().on('end', () => {
    if (request.url === '/packed') response.setHeader('Content-Encoding', 'gzip').end(gzipSync('x'.repeat(100_000)));
    else if (request.url === '/moved') response.writeHead(303, { Location: '/' }).end();
    else response.end('site');
  });
}

beforeAll(async () => {
  site = createServer(answer);
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
});

afterAll(() => {
  site.closeAllConnections();
  site.close();
});

/** A host with those servlets, and what comes by them while they work. */
async function crawl(node: string, profile: Profile, works: Readonly<Record<string, string>>): Promise<Find[]> {
  const fetched = profile === 'guest' ? { fetch: { origins: [origin], addresses: ['127.0.0.0/8'] } } : {};
  const held: Partial<ServletOptions> = { profile, spareThreads: 0, ...fetched };
  const names = Object.keys(works);
  await using host = await HostProcess.start(node, {
    servlets: names.map((name) => ({
      file: fileURLToPath(new URL(`crawl/${name}.ts`, import.meta.url)),
      ...held,
      ...(name === 'crawl' ? { unit: 'servlet' } : { limits: { threadsMaxCount: 1, oldVersionMs: 60_000 } }),
    })),
    store: 'memory',
    limits: { heapMb: 150, cpuMs: 20_000, wallMs: 20_000 },
  });
  const visitor = new Visitor(`http://127.0.0.1:${host.port}`);
  const finds = await Promise.all(
    names.map(async (name) => {
      for (const what of (works[name] as string).split(' ')) await walk(visitor, name, what);
      const found = await visitor.get(`/${name}?do=found`);
      expect(await host.deaths(name)).toBe(0);
      return JSON.parse(found.text) as Find[];
    }),
  );
  return finds.flat();
}

/** Asks for that, and follows the pages that come to their end. */
async function walk(visitor: Visitor, name: string, what: string): Promise<void> {
  const init: RequestInit = { redirect: 'follow' };
  if (what === 'body') Object.assign(init, { method: 'POST', body: 'x'.repeat(300_000) });
  if (what === 'fields') Object.assign(init, { method: 'POST', body: new URLSearchParams({ a: '1', b: '2' }) });
  if (what === 'upload') Object.assign(init, { method: 'POST', body: files() });
  let shown = await visitor.get(`/${name}?do=${what}&site=${origin}`, init);
  for (let pages = 0; isPage(shown) && pages < PAGES_MAX_COUNT; pages++) shown = await next(visitor, shown);
  expect.soft(shown.status, `${name} ${what}: ${shown.text.slice(0, 3000)}`).toBe(STATUSES[what] ?? 200);
}

/** Longer answers are none, and take long to be looked through. */
function isPage(shown: Shown): boolean {
  return shown.status === 200 && shown.text.length < 20_000 && continuationsOf(shown).length > 0;
}

/** The next page, with whatever form it has filled in. */
function next(visitor: Visitor, page: Shown): Promise<Shown> {
  const [url] = continuationsOf(page) as [string];
  if (!page.text.includes('method="post"')) return visitor.get(`${url}?a=1`, { redirect: 'follow' });
  const body = new FormData();
  for (const [input, name] of page.text.matchAll(/<(?:input|select)[^>]* name="([^"]*)"[^>]*>/g))
    if (input.includes('type="file"')) body.append(name as string, new Blob(['x']), 'x');
    else body.append(name as string, /value="([^"]*)"/.exec(input)?.[1] || '0');
  return visitor.get(url, { method: 'POST', body, redirect: 'follow' });
}

function files(): FormData {
  const form = new FormData();
  for (const bytes of [0, 1000, 300_000]) form.append('file', new Blob(['x'.repeat(bytes)]), `${bytes}.txt`);
  return form;
}

describe.each(NODES)('under $name', ({ path }) => {
  test('nothing of the inside of Node and of the runtime comes by a guest', async () => {
    const finds = await crawl(path, 'guest', GUESTS);
    // Its own, as soon as it imports it: SECURITY.md.
    const rest = finds.filter(
      ({ kind, where }) => kind !== CLOSED_MODULE || where !== 'argument of what is awaited.module',
    );
    expect(rest).toEqual([]);
  }, 60_000);

  test('without the walls all of it does, so that it would be seen', async () => {
    const found = new Set((await crawl(path, 'trusted', { crawl: `install ${NODE_WORK}` })).map(({ kind }) => kind));
    expect([...found]).toEqual(expect.arrayContaining(SEEN));
  }, 60_000);
});
