import { afterAll, beforeAll, expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, Visitor } from '../support/visitor.ts';

const NAMES = `embedFormlet, formlet, html, inputInteger, redirectGet, sendSuspendDispatch, sendSuspendUrl, sendSuspendUrlDispatch`;
const servlet = (body: string): string =>
  `import { ${NAMES} } from '@custodian/worker';\nexport const stateless = true;\n${body}`;

const SERVLETS = {
  url: servlet(`export default async function start() {
      const request = await sendSuspendUrl((url) => html\`<a href="\${url.pathname}">\${url.host}</a>\`);
      return html\`got \${request.query.get('n')}\`;
    }`),
  dispatch: servlet(`export default async function start() {
      const word = 'tea';
      const chosen = await sendSuspendUrlDispatch((embedUrl) =>
        html\`<a href="\${embedUrl(() => word).pathname}">A</a><a href="\${embedUrl(() => 'coffee').pathname}">B</a>\`);
      return html\`one \${chosen}\`;
    }`),
  redirect: servlet(`let count = 0;
    export default async function start() {
      const mine = ++count;
      const request = await redirectGet();
      return html\`\${mine} \${request.query.get('n')}\`;
    }`),
  form: servlet(`export default async function start() {
      const number = await sendSuspendDispatch((embedUrl) =>
        html\`\${embedFormlet(embedUrl, formlet\`\${inputInteger}\`)}<a href="\${embedUrl(() => [0])}">none</a>\`);
      return html\`number \${number}\`;
    }`),
};

let started: StartedHost;
let visitor: Visitor;
beforeAll(async () => {
  const heldAs = Object.fromEntries(Object.keys(SERVLETS).map((name) => [name, { cell: 'one', spareThreads: 0 }]));
  started = await StartedHost.start(SERVLETS, { limits: { wallMs: 60_000 } }, heldAs);
  visitor = new Visitor(started.url);
}, 60_000);
afterAll(() => started[Symbol.asyncDispose]());

test('sendSuspendUrl() gives a stateless page a URL object, which knows the host', async () => {
  const page = await visitor.get('/url');
  expect(page.text).toContain(new URL(started.url).host);
  expect(continuationsOf(page)[0]).toContain('/url;c=');
  expect((await visitor.follow(page, { n: '5' })).text).toBe('got 5');
  expect((await visitor.follow(page, { n: '6' })).text).toBe('got 6');
});

test('sendSuspendUrlDispatch() embeds functions in a stateless page', async () => {
  const [first = '', second = ''] = continuationsOf(await visitor.get('/dispatch'));
  expect(first).toContain('/dispatch;c=');
  expect([(await visitor.get(first)).text, (await visitor.get(second)).text, (await visitor.get(first)).text]).toEqual([
    'one tea',
    'one coffee',
    'one tea',
  ]);
});

test('redirectGet() sends the browser to where a stateless run goes on', async () => {
  const answer = await fetch(`${started.url}/redirect`, { method: 'POST', redirect: 'manual' });
  const location = answer.headers.get('location') ?? '';
  expect([answer.status, location]).toEqual([303, expect.stringContaining('/redirect;c=')]);
  for (const n of ['a', 'b']) expect((await visitor.get(`${location}?n=${n}`)).text).toBe(`1 ${n}`);
});

test('embedFormlet() has its form in a stateless page, and asks again for what is wrong', async () => {
  const page = await visitor.get('/form');
  const [form = '', link = ''] = continuationsOf(page);
  expect(form).toContain('/form;c=');
  const post = async (url: string, value: string): Promise<string> =>
    (await fetch(started.url + url, { method: 'POST', body: new URLSearchParams({ input_0: value }) })).text();
  expect(await post(form, '7')).toBe('number 7');
  expect((await visitor.get(link)).text).toBe('number 0');
  const again = await post(form, 'many');
  expect(again).toContain('Please give a whole number.');
  const [url = ''] = /\/form;c=[^"]+/.exec(again) ?? [];
  expect(await post(url, '8')).toBe('number 8');
});
