import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, Visitor } from '../support/visitor.ts';
import { WireClient } from '../support/wire-client.ts';

const FLOW = `
  import { createLruManager, html, onExpired, sendFinish, sendSuspend } from '@custodian/worker';
  const link = (url) => html\`<a href="\${url}">on</a>\`;
  async function pages() {
    const request = await sendSuspend(link);
    if (request.query.has('ms')) await new Promise((resolve) => setTimeout(resolve, Number(request.query.get('ms'))));
    if (request.query.has('end')) return sendFinish('ended');
    return 'went on';
  }
  export default (request) => request.query.has('own') ? onExpired(() => 'own', pages) : pages();`;
const TOKEN = /;k=(r0\.[\w-]+)\.(\d+)\.(\d+)\.([\w-]{22})$/;

interface Token {
  place: string;
  instance: number;
  id: number;
  nonce: string;
}

function read(url: string): Token {
  const [, place, instance, id, nonce] = TOKEN.exec(url)!;
  return { place: place!, instance: Number(instance), id: Number(id), nonce: nonce! };
}
const write = ({ place, instance, id, nonce }: Token): string => `/flow;k=${place}.${instance}.${id}.${nonce}`;

/** A nonce that differs in one bit. */
function flipped(nonce: string, bit: number): string {
  const bytes = Buffer.from(nonce, 'base64url');
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return bytes.toString('base64url');
}

describe.each(['connection', 'instance', 'servlet'] as const)("forged continuations with unit '%s'", (unit) => {
  let started: StartedHost;
  let visitor: Visitor;
  /** A page that lives, one that has expired, and one that has expired with a handler of its own. */
  let [living, ended, own] = ['', '', ''];
  let elsewhere = '';
  beforeAll(async () => {
    started = await StartedHost.start({ flow: FLOW, other: FLOW }, { unit });
    visitor = new Visitor(started.url);
    const first = async (path: string): Promise<string> => continuationsOf(await visitor.get(path))[0]!;
    [living, ended, own, elsewhere] = [
      await first('/flow'),
      await first('/flow'),
      await first('/flow?own'),
      await first('/other'),
    ];
    for (const url of [ended, own]) await visitor.get(`${url}?end`);
  });
  afterAll(() => started[Symbol.asyncDispose]());

  test('each is answered like a page that has expired, and nothing tells which part was right', async () => {
    const token = read(living);
    const forged: Record<string, string> = {
      'expired for real': ended,
      'another nonce': write({ ...token, nonce: 'A'.repeat(22) }),
      'another instance': write({ ...token, instance: token.instance + 1000 }),
      'another continuation': write({ ...token, id: token.id + 1 }),
      'the largest numbers': write({ ...token, instance: 999_999_999, id: 999_999_999 }),
      'another thread': write({ ...token, place: 'r0.1-1-AAAAAAAA' }),
      'another replica': write({ ...token, place: token.place.replace('r0', 'r1') }),
      'the nonce of another page': write({ ...token, nonce: read(ended).nonce }),
      'a page of another servlet': elsewhere.replace('/other', '/flow'),
      'an own handler, and a wrong nonce': write({ ...read(own), nonce: 'A'.repeat(22) }),
    };
    for (let bit = 0; bit < 128; bit += 13)
      forged[`bit ${bit} of the nonce`] = write({ ...token, nonce: flipped(token.nonce, bit) });
    const shape = async (url: string): Promise<unknown> => {
      const { status, headers, text } = await visitor.get(url);
      const names = [...headers.keys()].sort();
      return { status, names, text };
    };
    const expected = await shape(forged['expired for real']!);
    expect(expected).toMatchObject({ status: 410, text: expect.stringContaining('This page has expired') });
    for (const [what, url] of Object.entries(forged)) expect(await shape(url), what).toEqual(expected);
    // With an instance each, its thread has ended with it, and the handler with the thread.
    expect((await visitor.get(own)).text).toContain(unit === 'instance' ? 'This page has expired' : 'own');
    expect((await visitor.get(living)).text).toBe('went on');
  });

  test('of several tokens the first that is one counts', async () => {
    const parameter = /;k=.*/.exec(living)![0];
    const wrong = /;k=.*/.exec(write({ ...read(living), nonce: 'A'.repeat(22) }))![0];
    expect((await visitor.get(`/flow;k=x${parameter}`)).text).toBe('went on');
    expect((await visitor.get(`/flow${parameter}${wrong}`)).text).toBe('went on');
    expect((await visitor.get(`/flow${wrong}${parameter}`)).status).toBe(410);
  });

  test('who guesses waits for nobody, and makes nobody wait', async () => {
    const page = await visitor.get('/flow');
    const [url] = continuationsOf(page);
    const ended: string[] = [];
    const asked = async (name: string, path: string): Promise<void> => {
      await visitor.get(path);
      ended.push(name);
    };
    const busy = asked('busy', `${url}?ms=700`);
    await sleep(100);
    const wrong = write({ ...read(url!), nonce: 'A'.repeat(22) });
    await Promise.all([busy, asked('guess', wrong), asked('visitor', url!)]);
    // A thread that runs one request at a time makes all wait that name it; who has never been there can't.
    expect(ended[0]).toBe(unit === 'servlet' ? 'guess' : 'busy');
    expect(ended.indexOf('busy')).toBeLessThan(ended.indexOf('visitor'));
  });
});

test('whatever stands for a token, the answer is a fresh start, an expired page or a refusal, and the host lives', async () => {
  await using started = await StartedHost.start({ flow: FLOW });
  const visitor = new Visitor(started.url);
  const living = continuationsOf(await visitor.get('/flow'))[0]!;
  const token = read(living);
  const part = fc.oneof(
    fc.constantFrom(
      token.place,
      String(token.instance),
      String(token.id),
      token.nonce,
      '',
      '0',
      '-1',
      '1e9',
      '00',
      'k',
      '__proto__',
    ),
    fc.constantFrom('.', ';', ';k=', '=', '/', '%2e', '%3B', '%00', '%ff', 'é', '\u{1f600}', '..', ' ', '\t'),
    fc.string({ maxLength: 8 }),
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constant('9'.repeat(400)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 8 }), fc.constantFrom('.', ';', ''), async (parts, joined) => {
      const path = `/flow;k=${Buffer.from(parts.join(joined), 'utf8')
        .toString('latin1')
        .replaceAll(/[\0-\x20\x7f?#]/g, '_')}`;
      // One for each: a refusal closes its connection.
      const client = await WireClient.connect(started.host.port);
      const response = await client.get(path);
      client.destroy();
      const isPage = response.status === 200 && /;k=|went on/.test(response.body.toString());
      expect(isPage || [400, 404, 410].includes(response.status), `${response.status} for ${path}`).toBe(true);
    }),
    { numRuns: 200 },
  );
  expect((await visitor.get(living)).text).toBe('went on');
});

test('a page of before a restart is expired, though threads and instances have the same numbers again', async () => {
  const first = await StartedHost.start({ flow: FLOW });
  const before = continuationsOf(await new Visitor(first.url).get('/flow'))[0]!;
  await first[Symbol.asyncDispose]();
  await using second = await StartedHost.start({ flow: FLOW });
  const visitor = new Visitor(second.url);
  const after = continuationsOf(await visitor.get('/flow'))[0]!;
  const { place, ...numbers } = read(after);
  expect(read(before)).toMatchObject({ instance: numbers.instance, id: numbers.id });
  expect(read(before).place).not.toBe(place);
  expect((await visitor.get(before)).status).toBe(410);
  expect((await visitor.get(after)).text).toBe('went on');
});
