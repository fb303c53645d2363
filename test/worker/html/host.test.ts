import { jsx } from 'hono/jsx';
import { expect, test } from 'vitest';
import { toReply } from '../../../packages/worker/src/http/reply.ts';
import { StartedHost } from '../../support/started-host.ts';

const SERVLETS = {
  slow: `import { html } from '@custodian/worker';
    let open;
    const opened = new Promise((resolve) => { open = resolve; });
    export default (request) => {
      if (request.query.has('open')) return (open('end'), 'opened');
      return html\`<p>begin</p>\${opened}<p>\${Promise.resolve('&')}</p>\`;
    };`,
  fails: `import { html } from '@custodian/worker';
    import { setTimeout as delay } from 'node:timers/promises';
    const late = () => delay(20).then(() => { throw new Error('late'); });
    export default (request) => html\`<p>begin</p>\${request.query.has('late') ? late() : Promise.reject(new Error('early'))}\`;`,
};

test('html is sent while a promise in it is waited for', async () => {
  await using started = await StartedHost.start(SERVLETS, {}, { slow: { unit: 'servlet' } });
  const response = await fetch(`${started.url}/slow`);
  const reader = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream() as never)
    .getReader() as ReadableStreamDefaultReader<string>;
  expect(await reader.read()).toEqual({ done: false, value: '<p>begin</p>' });
  await fetch(`${started.url}/slow?open`);
  let rest = '';
  for (let next = await reader.read(); !next.done; next = await reader.read()) rest += next.value;
  expect(rest).toBe('end<p>&amp;</p>');
});

test('html with a promise that fails at once is an error page, and cuts the page short when it fails later', async () => {
  await using started = await StartedHost.start(SERVLETS);
  const early = await fetch(`${started.url}/fails`);
  expect(early.status).toBe(500);
  expect(await early.text()).toContain('early');
  const late = await fetch(`${started.url}/fails?late`);
  expect(late.status).toBe(200);
  await expect(late.text()).rejects.toThrow(TypeError);
});

test('toReply() takes what hono/jsx renders, as a string', async () => {
  const page = jsx('p', { class: 'big' }, '<Hello>').toString();
  expect(await toReply(page, 'test')).toMatchObject({ body: '<p class="big">&lt;Hello&gt;</p>' });
});
