import { expect, test } from 'vitest';
import { RestartableHost } from '../../support/restartable-host.ts';
import { continuationsOf } from '../../support/visitor.ts';

const NAMES = `base64Stuffer, base64UrlStuffer, createDefaultStuffer, defaultStuffer, gzipStuffer, hashStuffer, hmacStuffer, hostStore, html,
  idStuffer, isUrlTooBig, sealStuffer, sendSuspend, serializeStuffer, stufferChain, stufferCompose, stufferIf, stufferSequence`;
/** A page that holds so many digits, and then says how many, and what they come to. */
const servlet = (stuffer: string): string => `
  import { ${NAMES} } from '@custodian/worker';
  export const stateless = true;
  export const stuffer = ${stuffer};
  function digits(length) { let text = ''; for (let at = 1; text.length < length; at = (at * 48271) % 2147483647) text += at; return text.slice(0, length); }
  export default async function start(request) {
    const text = digits(Number(request.query.get('length')));
    await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
    let sum = 0;
    for (let at = 0; at < text.length; at++) sum = (sum * 31 + text.charCodeAt(at)) | 0;
    return text.length + ':' + sum;
  }`;

const HMAC = "hmacStuffer(new TextEncoder().encode('a key of the servlet'))";
/** In the store: their longer page has a key for an address. */
const KEPT: Readonly<Record<string, string>> = {
  standard: 'defaultStuffer',
  named: 'createDefaultStuffer({ store: hostStore({ lifetimeMs: 60_000 }) })',
  hash: 'stufferChain(serializeStuffer, hashStuffer(hostStore()))',
  sealed: 'stufferChain(serializeStuffer, sealStuffer(), base64UrlStuffer, isUrlTooBig, hashStuffer(hostStore()))',
};
const IN_URL: Readonly<Record<string, string>> = {
  plain: 'stufferSequence(serializeStuffer, base64Stuffer)',
  zipped: `stufferChain(serializeStuffer, gzipStuffer, ${HMAC}, base64UrlStuffer)`,
  signed: `stufferCompose(base64UrlStuffer, stufferCompose(${HMAC}, serializeStuffer))`,
  guarded:
    'stufferChain(serializeStuffer, stufferIf((bytes) => bytes.length > 200, gzipStuffer), idStuffer(), base64UrlStuffer)',
};

test('every stuffer gives back a short and a long state, as often as it is asked to, also after kill -9 and a restart of the host', async () => {
  const stuffers = { ...KEPT, ...IN_URL };
  const servlets = Object.fromEntries(Object.entries(stuffers).map(([name, stuffer]) => [name, servlet(stuffer)]));
  const held = Object.fromEntries(Object.keys(stuffers).map((name) => [name, { cell: 'one', spareThreads: 0 }]));
  await using host = await RestartableHost.start(servlets, {}, held);
  const shown: { name: string; url: string; said: string }[] = [];
  for (const name of Object.keys(stuffers))
    for (const length of [10, name in KEPT ? 20_000 : 3000]) {
      const [url = ''] = continuationsOf(await host.visitor.get(`/${name}?length=${length}`));
      expect(url, name).toMatch(length === 20_000 ? /;c=[\w-]{40,50}$/ : /;c=/);
      const { text: said } = await host.visitor.get(url);
      expect(said, name).toMatch(new RegExp(`^${length}:-?\\d+$`));
      shown.push({ name, url, said });
    }
  await host.restart();
  for (const { name, url, said } of shown)
    for (let count = 0; count < 2; count++) expect((await host.visitor.get(url)).text, name).toBe(said);
}, 120_000);
