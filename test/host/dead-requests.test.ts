import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, Visitor } from '../support/visitor.ts';

/** Keeps what belongs to its first request, and uses it in its second. */
const KEEPER = `
  import { html, sendSuspend } from '@custodian/worker';
  const seen = [];
  export default async function keeper(first) {
    if (first.query.has('seen')) return seen.join();
    const { signal, body } = first;
    signal.addEventListener('abort', () => seen.push('first aborted'));
    const second = await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
    if (second.query.has('read')) {
      let bytes = 0;
      try { for await (const piece of body) bytes += piece.length; return 'all ' + bytes; }
      catch (error) { return error.code + ' ' + (bytes < 900_000); }
    }
    const gone = new Promise((resolve) => second.signal.addEventListener('abort', resolve));
    seen.push('waits');
    await gone;
    seen.push('second aborted, first ' + signal.aborted);
  }`;

describe.each(['connection', 'servlet'] as const)('with unit %s, of a request that is over', (unit) => {
  test('what had arrived of the body can be read in the next one, and the rest is an error and no wait', async () => {
    await using started = await StartedHost.start({ keeper: KEEPER }, { unit });
    const visitor = new Visitor(started.url);
    const post = { method: 'POST', headers: { 'Content-Type': 'application/octet-stream' } };
    const small = await visitor.get('/keeper', { ...post, body: 'x'.repeat(10) });
    expect((await visitor.follow(small, { read: '' })).text).toBe('all 10');
    const large = await visitor.get('/keeper', { ...post, body: 'x'.repeat(900_000) });
    expect((await visitor.follow(large, { read: '' })).text).toBe('SERVLET_REQUEST_OVER true');
  });
});

test('the signal of a request that is over is not the next one’s: it does not tell that the client of that has gone', async () => {
  await using started = await StartedHost.start({ keeper: KEEPER }, { unit: 'servlet' });
  const visitor = new Visitor(started.url);
  const seen = (what: string): Promise<string> =>
    eventually(
      async () => (await visitor.get('/keeper?seen')).text,
      (text) => text === what,
    );
  const page = await visitor.get('/keeper');
  const client = await started.connect();
  client.write(`GET ${continuationsOf(page)[0]} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await seen('waits');
  client.destroy();
  expect(await seen('waits,second aborted, first false')).not.toContain('first aborted');
});

test('the answer of a request that has asked the host for something does not wait for the next one, nor is it run again', async () => {
  await using started = await StartedHost.start(
    {
      boxed: `
        import { fileBox } from '@custodian/worker';
        const visits = fileBox('visits', 0);
        let runs = 0;
        export default async (request) => {
          if (request.query.has('spin')) for (const until = Date.now() + 400; Date.now() < until; );
          if (!request.query.has('spin')) await visits.get();
          if (request.query.has('ask')) runs++;
          return String(runs);
        };`,
    },
    { limits: { threadsMaxCount: 1 }, stateDir: mkdtempSync(join(tmpdir(), 'custodian-asked-')) },
  );
  // So that the host takes it for quick: what is asked next waits in the thread itself.
  for (let at = 0; at < 100; at++) await started.warm('/boxed?warm');
  const [asking, spinning] = [await started.connect(), await started.connect()];
  const asked = asking.get('/boxed?ask').then(({ body }) => String(body));
  const spun = spinning.get('/boxed?spin').then(({ body }) => `spun ${String(body)}`);
  expect(await Promise.race([asked, spun])).toBe('1');
  expect(await spun).toBe('spun 1');
});
