import { afterAll, beforeAll, expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';

const SERVLETS = {
  index: `import { dispatchRules, html, integerArg, restArg, rule, stringArg } from '@custodian/worker';
    const listPosts = () => 'posts';
    const reviewPost = (request, title) => JSON.stringify(title);
    const reviewArchive = (request, year, month) => JSON.stringify([year, month]);
    const sum = (request, numbers) => JSON.stringify(numbers);
    const makeUrl = (request) => {
      const names = { reviewPost, reviewArchive, sum, listPosts };
      const [name, ...values] = JSON.parse(request.query.get('of'));
      return blog.url(names[name], ...values);
    };
    const blog = dispatchRules(
      rule\`/\`(listPosts),
      rule\`/posts/\${stringArg}\`(reviewPost),
      rule\`/archive/\${integerArg}/\${integerArg}\`(reviewArchive),
      rule\`/sum/\${restArg(integerArg)}\`(sum),
      rule\`/url\`(makeUrl),
    );
    export default blog.dispatch;`,
  shop: `import { dispatchRules, nextDispatcher, rule, stringArg } from '@custodian/worker';
    const show = async (request, ware) => { await null; return ware === 'none' ? nextDispatcher() : JSON.stringify(ware); };
    export default dispatchRules(rule\`/shop/\${stringArg}\`(show)).dispatch;`,
};

let started: StartedHost;
beforeAll(async () => {
  started = await StartedHost.start(SERVLETS, {}, { index: { regexp: '' } });
}, 60_000);
afterAll(() => started[Symbol.asyncDispose]());

async function get(path: string, init: RequestInit = {}): Promise<[number, string]> {
  const response = await fetch(`${started.url}${path}`, init);
  return [response.status, await response.text()];
}

const urlOf = (...of: unknown[]): Promise<[number, string]> => get(`/url?of=${encodeURIComponent(JSON.stringify(of))}`);

test('C106 blog rules: a path leads to its function and its values; others lead to the next dispatcher', async () => {
  expect(await get('/')).toEqual([200, 'posts']);
  expect(await get('/posts/a%20b')).toEqual([200, '"a b"']);
  expect(await get('/posts/a%20b%2Fc%3F%C3%A9')).toEqual([200, '"a b/c?é"']);
  expect(await get('/archive/2008/02')).toEqual([200, '[2008,2]']);
  for (const path of ['/posts', '/archive/x/1']) {
    const [status, page] = await get(path);
    expect([status, page.includes(`Unknown page: ${path}`)]).toEqual([404, true]);
  }
  expect((await get('/', { method: 'HEAD' }))[0]).toBe(200);
  expect((await get('/', { method: 'POST', body: 'x=1' }))[0]).toBe(404);
});

test('C108 URL generation: values are encoded; a wrong type or number of them is an error', async () => {
  expect(await urlOf('reviewPost', 'a b/c?é')).toEqual([200, '/posts/a%20b%2Fc%3F%C3%A9']);
  expect(await urlOf('reviewArchive', 1984, 11)).toEqual([200, '/archive/1984/11']);
  for (const of of [['reviewArchive', '1984', 11], ['reviewArchive', 1984], ['listPosts', 1], ['nobody']])
    expect((await urlOf(...of))[0]).toBe(500);
});

test('C109 rest arguments: all to the end of the path, perhaps none', async () => {
  expect(await get('/sum/1/2/3')).toEqual([200, '[1,2,3]']);
  expect(await get('/sum')).toEqual([200, '[]']);
  expect((await get('/sum/1/x'))[0]).toBe(404);
  expect(await urlOf('sum', [2, 3, 5, 7])).toEqual([200, '/sum/2/3/5/7']);
  expect(await urlOf('sum', [])).toEqual([200, '/sum']);
});

test('what a servlet leaves to others comes to whoever is next in the host, also later; its paths may hold slashes', async () => {
  expect(await get('/shop/tea%2Fgreen')).toEqual([200, '"tea/green"']);
  for (const path of ['/shop/none', '/shop', '/shop/a/b']) {
    const [status, page] = await get(path);
    expect([status, page.includes(`Unknown page: ${path}`)]).toEqual([404, true]);
  }
  expect((await get('/shop/none', { method: 'POST', body: 'x'.repeat(100_000) }))[0]).toBe(404);
  // Nothing of it is a failure.
  expect(started.host.ledger.obituaries).toEqual([]);
});
