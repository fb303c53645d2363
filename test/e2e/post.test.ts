import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import { CHROMIUM, CHROMIUM_ARGS } from './chromium.ts';
import { Window } from './window.ts';

if (CHROMIUM === undefined) console.warn('test/e2e/post.test.ts is skipped: Chromium is not installed');

/** sum2 with forms that are sent by POST; `then` runs after each answer. */
const sum = (headers: string, then: string): string => `
  import { html, redirectGet, sendSuspend } from '@custodian/worker';
  let answers = 0;
  async function ask(label) {
    const reply = await sendSuspend((url) => ({
      headers: ${headers},
      body: html\`<!doctype html><title>\${label}</title><form action="\${url}" method="post">\${label}
        <input name="number"><input type="submit"></form>\`,
    }));
    answers++;
    ${then}
    return Number(reply.bindings.get('number'));
  }
  export default async function start(request) {
    if (request.query.has('answers')) return html\`\${answers}\`;
    const sum = (await ask('First')) + (await ask('Second'));
    return { headers: ${headers}, body: html\`The sum is \${sum}.\` };
  }`;

/** Chromium with JavaScript off: what Back, Forward and Refresh do to pages that a POST led to, and how an author decides it. */
describe.skipIf(CHROMIUM === undefined)('forms that are sent by POST, in a browser', { timeout: 60_000 }, () => {
  let host: StartedHost;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    host = await StartedHost.start({
      plain: sum('{}', ''),
      redirected: sum('{}', 'await redirectGet();'),
      cached: sum(`{ 'Cache-Control': 'private, no-cache' }`, ''),
    });
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await host?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    context = await browser.newContext({ javaScriptEnabled: false });
  });
  afterEach(() => context.close());

  const open = (name: string): Promise<Window> => Window.open(context, `${host.url}/${name}`);
  /** How many answers the servlet has got. */
  const answers = async (name: string): Promise<number> =>
    Number(await (await fetch(`${host.url}/${name}?answers`)).text());

  for (const name of ['plain', 'redirected', 'cached'])
    test(`two numbers give their sum (${name})`, async () => {
      const window = await open(name);
      await window.send({ number: '3' });
      await window.send({ number: '4' });
      expect(await window.text()).toContain('The sum is 7.');
    });

  test('redirectGet() after a POST: Back and Forward show its pages again, and Refresh sends nothing twice', async () => {
    const window = await open('redirected');
    const before = await answers('redirected');
    await window.send({ number: '3' });
    await window.send({ number: '4' });
    await window.refresh();
    await window.refresh();
    expect(await window.text()).toContain('The sum is 7.');
    await window.back();
    expect(await window.text()).toContain('Second');
    await window.refresh();
    await window.forward();
    expect(await window.text()).toContain('The sum is 7.');
    expect(await answers('redirected')).toBe(before + 2);
    await window.back();
    await window.send({ number: '10' });
    expect(await window.text()).toContain('The sum is 13.');
    await window.back();
    await window.back();
    expect(await window.text()).toContain('First');
    await window.send({ number: '100' });
    await window.send({ number: '1' });
    expect(await window.text()).toContain('The sum is 101.');
  });

  test('a Cache-Control that lets the browser keep the answer of a POST: Back and Forward show it, and send nothing', async () => {
    const window = await open('cached');
    const before = await answers('cached');
    await window.send({ number: '3' });
    await window.send({ number: '4' });
    await window.back();
    expect(await window.text()).toContain('Second');
    await window.forward();
    expect(await window.text()).toContain('The sum is 7.');
    expect(await answers('cached')).toBe(before + 2);
    await window.back();
    await window.send({ number: '10' });
    expect(await window.text()).toContain('The sum is 13.');
  });

  test('otherwise the browser asks whether to send the form again; whoever says so gets the same page', async () => {
    const window = await open('plain');
    await window.send({ number: '3' });
    await window.send({ number: '4' });
    const before = await answers('plain');
    await expect(window.back()).rejects.toThrow('ERR_CACHE_MISS');
    expect(await answers('plain')).toBe(before);
    // Yes, send it again. The page that asks is not there at once: until then nothing is sent.
    await eventually(
      () =>
        window.refresh().then(
          () => true,
          () => false,
        ),
      (isSent) => isSent,
    );
    expect(await window.text()).toContain('Second');
    expect(await answers('plain')).toBe(before + 1);
    await window.send({ number: '10' });
    expect(await window.text()).toContain('The sum is 13.');
  });
});
