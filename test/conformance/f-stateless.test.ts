import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RestartableHost } from '../support/restartable-host.ts';
import { continuationsOf, type Shown, type Visitor } from '../support/visitor.ts';

const servlet = (body: string, names: string): string =>
  `import { html, ${names} } from '@custodian/worker';\nexport const stateless = true;\n${body}`;
const ASK = `
  async function ask(label) {
    const reply = await sendSuspend((url) => html\`<form action="\${url}">\${label}<input name="number"></form>\`);
    return Number(reply.bindings.get('number'));
  }`;
const SUM = `${ASK}
  export default async function start() {
    const m = await ask('First');
    const n = await ask('Second');
    return html\`The sum is \${m + n}\`;
  }`;
/** Shows a page that holds a string of a kind and a length, and then its length and a hash of it. */
const BIG = `
  function digits(length) { let text = ''; for (let at = 1; text.length < length; at = (at * 48271) % 2147483647) text += at; return text.slice(0, length); }
  function noise(length) { let text = '', at = 1; while (text.length < length) { at = (at * 48271) % 2147483647; text += String.fromCharCode(33 + ((at >> 8) % 94)); } return text; }
  export default async function start(request) {
    const length = Number(request.query.get('length')), kind = request.query.get('kind');
    const text = kind === 'digits' ? digits(length) : kind === 'noise' ? noise(length) : 'a'.repeat(length);
    await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
    let sum = 0;
    for (let at = 0; at < text.length; at++) sum = (sum * 31 + text.charCodeAt(at)) | 0;
    return text.length + ':' + sum;
  }`;
const CHAIN = (store: string): string => `
  export const stuffer = stufferChain(serializeStuffer, base64UrlStuffer, isUrlTooBig, stufferSequence(gzipStuffer, base64UrlStuffer), isUrlTooBig, md5Stuffer(${JSON.stringify(store)}));`;

/** What stands behind `;c=`. */
const payloadOf = (page: Shown): string => /;c=([^;?]*)/.exec(continuationsOf(page)[0] ?? '')![1]!;

describe('F. stateless servlets and stuffers', () => {
  const urls = mkdtempSync(join(tmpdir(), 'custodian-urls-'));
  let host: RestartableHost;
  let visitor: Visitor;
  beforeAll(async () => {
    host = await RestartableHost.start(
      {
        sum2: servlet(SUM, 'sendSuspend'),
        mutable: servlet(
          `${ASK}
          export default async function start() {
            let n = 0;
            await ask('on');
            n += 1;
            return 'n=' + n;
          }`,
          'sendSuspend',
        ),
        hidden: servlet(
          `async function ask(label) {
            const reply = await sendSuspendHidden((url, field) =>
              html\`<form action="\${url}" method="post">\${label} \${field}<input name="number"></form>\`);
            return Number(reply.bindings.get('number'));
          }
          export default async function start() { return 'sum=' + ((await ask('First')) + (await ask('Second'))); }`,
          'sendSuspendHidden',
        ),
        attachment: servlet(
          `import { randomBytes } from 'node:crypto';
          export default async function start() {
            const draft = randomBytes(30_000).toString('latin1');
            const sent = await sendSuspendHidden((url, field) =>
              html\`<form action="\${url}" method="post" enctype="multipart/form-data">\${field}<input type="file" name="file"></form>\`);
            return draft.length + ' characters and ' + sent.bindings.files('file')[0].size;
          }`,
          'sendSuspendHidden',
        ),
        dispatch: servlet(
          `export default async function start() {
            const which = await sendSuspendDispatch((embedUrl) =>
              html\`<a href="\${embedUrl(() => 'A')}">a</a> <a href="\${embedUrl(async () => 'B')}">b</a>\`);
            return 'chose ' + which;
          }`,
          'sendSuspendDispatch',
        ),
        big: servlet(BIG, 'sendSuspend'),
        chain: servlet(
          CHAIN(urls) + BIG,
          'sendSuspend, stufferChain, stufferSequence, serializeStuffer, base64UrlStuffer, gzipStuffer, isUrlTooBig, md5Stuffer',
        ),
        nowhere: servlet(
          CHAIN('/dev/null/urls') + BIG,
          'sendSuspend, stufferChain, stufferSequence, serializeStuffer, base64UrlStuffer, gzipStuffer, isUrlTooBig, md5Stuffer',
        ),
        foreign: servlet(
          `${ASK}
          export default async function start() {
            const numbers = await Promise.all([1, 2].map(async (n) => n + (await ask('More'))));
            return numbers.join();
          }`,
          'sendSuspend',
        ),
        escape: servlet(
          `${ASK}
          export default async function start() {
            return 'got ' + await native(() => Promise.all([ask('More')]));
          }`,
          'sendSuspend, native',
        ),
        hmac: servlet(
          `export const stuffer = stufferChain(serializeStuffer, hmacStuffer(new TextEncoder().encode('a key of the servlet')), base64UrlStuffer);
          ${SUM}`,
          'sendSuspend, stufferChain, serializeStuffer, hmacStuffer, base64UrlStuffer',
        ),
        box: servlet(
          `const counter = fileBox('counter', 5);
          const again = fileBox('counter', 1000);
          export default async function start({ query }) {
            if (query.get('set') !== undefined) await counter.set(Number(query.get('set')));
            return [await counter.has(), await counter.get(), await again.get()].join();
          }`,
          'fileBox',
        ),
        loop: servlet(
          `${ASK}
          export default async function start() {
            let sum = 0;
            for (let i = 0; i < 3; i++) sum += await ask('Number ' + i);
            return 'sum=' + sum;
          }`,
          'sendSuspend',
        ),
        edited: servlet(
          `${ASK}
          export default async function start() {
            let sum = 0;
            for (let i = 0; i < 3; i++) sum += await ask('Number ' + i);
            return 'sum=' + sum;
          }`,
          'sendSuspend',
        ),
      },
      {},
      { chain: { profile: 'trusted' }, nowhere: { profile: 'trusted' } },
    );
    ({ visitor } = host);
  }, 60_000);
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]();
    rmSync(urls, { recursive: true });
  });

  /** What each page says of what it held. */
  const textsOf = (pages: readonly Shown[]): Promise<string[]> =>
    Promise.all(pages.map(async (page) => (await visitor.follow(page)).text));

  test('C062 adds two numbers; the parameter is c, and its payload starts with 0', async () => {
    const [x, y] = [Math.floor(Math.random() * 500), Math.floor(Math.random() * 500)];
    const first = await visitor.get('/sum2');
    expect(continuationsOf(first)[0]).toMatch(/^\/sum2;c=0[\w-]+$/);
    const second = await visitor.follow(first, { number: String(x) });
    expect((await visitor.follow(second, { number: String(y) })).text).toBe(`The sum is ${x + y}`);
    const posted = await visitor.post(second, { number: String(y) });
    expect(posted.text).toBe(`The sum is ${x + y}`);
  });

  test('C063 after kill -9 of the host in the middle, the pages that were shown go on', async () => {
    const first = await visitor.get('/sum2');
    const second = await visitor.follow(first, { number: '37' });
    await host.restart();
    ({ visitor } = host);
    expect((await visitor.follow(second, { number: '5' })).text).toBe('The sum is 42');
    const other = await visitor.follow(first, { number: '1' });
    expect(other.text).toContain('Second');
    expect((await visitor.follow(other, { number: '1' })).text).toBe('The sum is 2');
  });

  test('C065 a local that is assigned belongs to the page: every answer shows 1', async () => {
    const page = await visitor.get('/mutable');
    for (let round = 0; round < 3; round++) expect((await visitor.follow(page)).text).toBe('n=1');
  });

  test('C067 a hidden field holds the state: two pages by POST, and by a query too', async () => {
    const fieldOf = (page: Shown): string => /name="kont" value="([^"]+)"/.exec(page.text)![1]!;
    const first = await visitor.get('/hidden');
    expect(first.text).toContain('action="/hidden" method="post"');
    const second = await visitor.get('/hidden', {
      method: 'POST',
      body: new URLSearchParams({ kont: fieldOf(first), number: '3' }),
    });
    const body = new URLSearchParams({ kont: fieldOf(second), number: '4' });
    expect((await visitor.get('/hidden', { method: 'POST', body })).text).toBe('sum=7');
    const query = new URLSearchParams({ kont: fieldOf(second), number: '6' }).toString();
    expect((await visitor.get(`/hidden?${query}`)).text).toBe('sum=9');
  });

  test('C067 a hidden field of a form with files holds as much state as one without', async () => {
    const page = await visitor.get('/attachment');
    const [, state] = /name="kont" value="([^"]+)"/.exec(page.text)!;
    expect(state!.length).toBeGreaterThan(30_000);
    const body = new FormData();
    body.set('kont', state!);
    body.set('file', new Blob(['12345']), 'five.txt');
    expect((await visitor.get('/attachment', { method: 'POST', body })).text).toBe('30000 characters and 5');
  });

  test('C068 two embedded functions in one page are two ways on', async () => {
    const page = await visitor.get('/dispatch');
    expect((await visitor.follow(page, {}, 0)).text).toBe('chose A');
    expect((await visitor.follow(page, {}, 1)).text).toBe('chose B');
  });

  test('C070 a large state is compressed in the URL, a larger one is in the store, and goes on after a restart', async () => {
    const plain = await visitor.get('/big?kind=a&length=100');
    const packed = await visitor.get('/big?kind=a&length=6000');
    const kept = await visitor.get('/big?kind=digits&length=15000');
    expect([plain, packed, kept].map((page) => payloadOf(page)[0])).toEqual(['0', '0', '1']);
    expect(continuationsOf(packed)[0]!.length).toBeLessThan(400);
    expect(payloadOf(kept)).toMatch(/^1[\w-]{43}$/);
    const texts = await textsOf([plain, packed, kept]);
    expect(texts.map((text) => Number.parseInt(text, 10))).toEqual([100, 6000, 15_000]);
    await host.restart();
    ({ visitor } = host);
    expect(await textsOf([plain, packed, kept])).toEqual(texts);
  });

  test('C070 with the default stuffer 100, 1,000 and 1,500 characters that hardly get shorter are in the URL, and all are there after a restart', async () => {
    const lengths = [100, 1000, 1500];
    const pages = await Promise.all(lengths.map((length) => visitor.get(`/big?kind=noise&length=${length}`)));
    expect(pages.map((page) => payloadOf(page)[0])).toEqual(['0', '0', '0']);
    expect(continuationsOf(pages[2]!)[0]!.length).toBeGreaterThan(1500);
    expect(continuationsOf(pages[2]!)[0]!.length).toBeLessThanOrEqual(2048);
    const kept = await visitor.get('/big?kind=noise&length=2000');
    expect(payloadOf(kept)).toMatch(/^1[\w-]{43}$/);
    const texts = await textsOf([...pages, kept]);
    expect(texts.map((text) => Number.parseInt(text, 10))).toEqual([...lengths, 2000]);
    await host.restart();
    ({ visitor } = host);
    expect(await textsOf([...pages, kept])).toEqual(texts);
  });

  test('C070 with the manual’s chain: 0 and the text; 10 and compressed; 11 and an MD5, and one file in the directory; all there after a restart', async () => {
    const small = await visitor.get('/chain?kind=digits&length=100');
    const plain = await visitor.get('/chain?kind=digits&length=1000');
    // In base64 it would be longer than 2,048 characters.
    const over = await visitor.get('/chain?kind=digits&length=1500');
    const packed = await visitor.get('/chain?kind=a&length=6000');
    expect(readdirSync(urls)).toEqual([]);
    const kept = await visitor.get('/chain?kind=digits&length=15000');
    expect([small, plain].map((page) => payloadOf(page))).toEqual([
      expect.stringMatching(/^0[\w-]{130,}$/),
      expect.stringMatching(/^0[\w-]{1300,}$/),
    ]);
    expect([over, packed].map((page) => payloadOf(page).slice(0, 2))).toEqual(['10', '10']);
    expect(continuationsOf(packed)[0]!.length).toBeLessThan(400);
    expect(payloadOf(kept)).toMatch(/^11[0-9a-f]{32}$/);
    expect(readdirSync(urls)).toEqual([payloadOf(kept).slice(2)]);
    const pages = [small, plain, over, packed, kept];
    const texts = await textsOf(pages);
    expect(texts.map((text) => Number.parseInt(text, 10))).toEqual([100, 1000, 1500, 6000, 15_000]);
    await host.restart();
    ({ visitor } = host);
    expect(await textsOf(pages)).toEqual(texts);
  });

  test('C070 a store that can’t be written to is an error of the servlet, not a crash', async () => {
    expect((await visitor.get('/nowhere?kind=a&length=10')).status).toBe(200);
    expect((await visitor.get('/nowhere?kind=digits&length=15000')).status).toBe(500);
    expect((await visitor.get('/nowhere?kind=a&length=10')).status).toBe(200);
  });

  test('C072 a capture under foreign frames is refused; inside native() it is kept in the thread', async () => {
    const refused = await visitor.get('/foreign');
    expect(refused.status).toBe(500);
    expect(refused.text).toContain('in an unsafe context');
    const page = await visitor.get('/escape');
    expect(continuationsOf(page)[0]).toMatch(/;k=/);
    expect((await visitor.follow(page, { number: '5' })).text).toBe('got 5');
  });

  test('C073 signed by HMAC: the URL as it was goes on, with one character changed it does not', async () => {
    const page = await visitor.get('/hmac');
    const [url] = continuationsOf(page);
    expect((await visitor.get(`${url}?number=1`)).text).toContain('Second');
    for (const at of [url!.indexOf(';c=') + 3, url!.length - 10]) {
      const changed = `${url!.slice(0, at)}${url![at] === 'A' ? 'B' : 'A'}${url!.slice(at + 1)}`;
      const shown = await visitor.get(`${changed}?number=1`);
      expect(shown.status).toBe(410);
      expect(shown.text).not.toContain('Second');
    }
    await host.restart();
    ({ visitor } = host);
    expect((await visitor.get(`${url}?number=2`)).text).toContain('Second');
  });

  test('C074 after an edit the old page is refused and says so, and nothing of the new code runs', async () => {
    const page = await visitor.get('/edited');
    const source = host.directory.file('edited');
    writeFileSync(source, readFileSync(source, 'utf8').replace("'Number '", "'Value '"));
    await host.restart();
    ({ visitor } = host);
    const refused = await visitor.follow(page, { number: '1' });
    expect(refused.status).toBe(410);
    expect(refused.text).toContain('SERVLET_PROGRAM_CHANGED');
    expect(refused.text).not.toContain('Value');
  });

  test('C074 after a comment and another layout the old page goes on', async () => {
    const page = await visitor.get('/loop');
    const source = host.directory.file('loop');
    writeFileSync(source, `// only a comment\n${readFileSync(source, 'utf8').replaceAll('{', '{\n')}`);
    await host.restart();
    ({ visitor } = host);
    expect((await visitor.follow(page, { number: '1' })).text).toContain('Number 1');
  });

  test('C077 a file box gets its default once, keeps what is set over a restart, and another default does not replace it', async () => {
    expect((await visitor.get('/box')).text).toBe('true,5,5');
    expect((await visitor.get('/box?set=7')).text).toBe('true,7,7');
    await host.restart();
    ({ visitor } = host);
    expect((await visitor.get('/box')).text).toBe('true,7,7');
  });

  test('C079 loop variables belong to the page: going back to the second changes only what follows', async () => {
    const one = await visitor.get('/loop');
    const two = await visitor.follow(one, { number: '1' });
    const three = await visitor.follow(two, { number: '2' });
    expect((await visitor.follow(three, { number: '3' })).text).toBe('sum=6');
    const again = await visitor.follow(two, { number: '20' });
    expect((await visitor.follow(again, { number: '3' })).text).toBe('sum=24');
    expect((await visitor.follow(three, { number: '3' })).text).toBe('sum=6');
  });
});
