import { expect, test } from 'vitest';
import { StartedHost } from '../../support/started-host.ts';
import { continuationsOf, Visitor } from '../../support/visitor.ts';

/** A page that holds so many digits, and then says how many. */
const servlet = (stuffer: string): string => `
  import { createDefaultStuffer, defaultStuffer, hashStuffer, hostStore, html, sendSuspend, serializeStuffer, stufferChain } from '@custodian/worker';
  export const stateless = true;
  export const stuffer = ${stuffer};
  function digits(length) { let text = ''; for (let at = 1; text.length < length; at = (at * 48271) % 2147483647) text += at; return text.slice(0, length); }
  export default async function start(request) {
    const text = digits(Number(request.query.get('length')));
    await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
    return String(text.length);
  }`;

test.each([
  ['defaultStuffer', 'defaultStuffer'],
  [
    'createDefaultStuffer() with the host’s store named',
    'createDefaultStuffer({ store: hostStore({ lifetimeMs: 60_000 }) })',
  ],
  ['hashStuffer() over the host’s store', 'stufferChain(serializeStuffer, hashStuffer(hostStore()))'],
])('%s keeps a short and a long state, and gives both back', async (_what, stuffer) => {
  await using started = await StartedHost.start({ page: servlet(stuffer) });
  const visitor = new Visitor(started.url);
  for (const length of [10, 20_000]) {
    const page = await visitor.get(`/page?length=${length}`);
    expect(continuationsOf(page)[0]).toMatch(length === 10 ? /;c=/ : /;c=[\w-]{40,50}$/);
    for (let count = 0; count < 2; count++) expect((await visitor.follow(page)).text).toBe(String(length));
  }
});
