import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DatabaseServer, redisMissing } from '../support/database-server.ts';
import { haproxyMissing, LoadBalancer } from '../support/load-balancer.ts';
import { RestartableHost } from '../support/restartable-host.ts';
import { CHROMIUM, CHROMIUM_ARGS } from './chromium.ts';

const missing = CHROMIUM === undefined ? 'Chromium is not installed' : (haproxyMissing() ?? redisMissing());
if (missing !== null) console.warn(`test/e2e/replicas.test.ts is skipped: ${missing}`);

/** Every page holds the numbers so far; with `length`, so much besides that it is kept in the store. */
const FLOW = `
  import { html, sendSuspend } from '@custodian/worker';
  export const stateless = true;
  function noise(length) {
    let text = '';
    for (let at = 1; text.length < length; at = (at * 48271) % 2147483647) text += at.toString(36);
    return text;
  }
  async function ask(label) {
    const reply = await sendSuspend((url) => html\`<link rel="icon" href="data:,"><form action="\${url}"><p>\${label}</p><input name="n"><input type="submit"></form>\`);
    return Number(reply.bindings.get('n'));
  }
  export default async function flow(request) {
    const text = noise(Number(request.query.get('length') ?? 0)), numbers = [];
    for (const label of ['first', 'second', 'third', 'fourth']) numbers.push(await ask(label + ' of ' + numbers.join('+')));
    return html\`<link rel="icon" href="data:,"><p>\${numbers.join('+')} and \${text.length}</p>\`;
  }`;

describe.skipIf(missing !== null)(
  'a stateless flow over two hosts behind HAProxy, in a browser',
  { timeout: 120_000 },
  () => {
    let browser: Browser;
    let store: DatabaseServer;
    const hosts: RestartableHost[] = [];
    let balancer: LoadBalancer;

    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
      store = await DatabaseServer.redis();
      const keys = `1:${randomBytes(32).toString('base64url')}\n`;
      for (let n = 0; n < 2; n++) {
        // One ring for both, in a file of each.
        const host = await RestartableHost.start({ flow: FLOW }, { store: store.url }, {}, (stateDir) =>
          writeFileSync(join(stateDir, 'keys'), keys, { mode: 0o600 }),
        );
        hosts.push(host);
      }
      balancer = await LoadBalancer.start(hosts.map(({ process }) => process.port));
    }, 120_000);
    afterAll(async () => {
      await browser?.close();
      await balancer?.[Symbol.asyncDispose]();
      for (const host of hosts) await host[Symbol.asyncDispose]();
      await store?.[Symbol.asyncDispose]();
    });

    /** A window without JavaScript, which remembers which host answered last. */
    class Window implements AsyncDisposable {
      readonly #context: BrowserContext;
      readonly page: Page;
      /** One name for each page that was loaded. */
      readonly answeredBy: string[] = [];
      private constructor(context: BrowserContext, page: Page) {
        this.#context = context;
        this.page = page;
        page.on('response', (response) => {
          if (response.request().isNavigationRequest()) this.answeredBy.push(response.headers()['x-host'] ?? 'nobody');
        });
      }
      static async open(path: string): Promise<Window> {
        const context = await browser.newContext({ javaScriptEnabled: false });
        const window = new Window(context, await context.newPage());
        await window.page.goto(`${balancer.url}${path}`);
        return window;
      }
      get text(): Promise<string> {
        return this.page.innerText('p');
      }
      async answer(n: number): Promise<string> {
        await this.page.fill('input[name=n]', String(n));
        await Promise.all([this.page.waitForEvent('load'), this.page.click('input[type=submit]')]);
        return this.text;
      }
      async [Symbol.asyncDispose](): Promise<void> {
        await this.#context.close();
      }
    }

    test.each(['/flow', '/flow?length=20000'])(
      '%s hops from host to host at each page, and so does Back',
      async (path) => {
        await using window = await Window.open(path);
        const { page } = window;
        expect(await window.answer(1)).toBe('second of 1');
        expect(await window.answer(2)).toBe('third of 1+2');
        expect(await window.answer(3)).toBe('fourth of 1+2+3');
        expect(window.answeredBy.map((host, n) => host === window.answeredBy[n - 1])).toEqual([
          false,
          false,
          false,
          false,
        ]);
        // Back to the second question: what was answered after it is gone, what was before it stays.
        await page.goBack();
        await page.goBack();
        expect(await window.text).toBe('second of 1');
        expect(await window.answer(20)).toBe('third of 1+20');
        expect(await window.answer(30)).toBe('fourth of 1+20+30');
        expect(await window.answer(40)).toMatch(
          path.includes('length') ? /^1\+20\+30\+40 and 2000\d$/ : /^1\+20\+30\+40 and 0$/,
        );
        expect(new Set(window.answeredBy)).toEqual(new Set(['host0', 'host1']));
      },
    );

    test('kill -9 of one host in the middle of a flow: the other one goes on, and the first one again when it is back', async () => {
      await using window = await Window.open('/flow?length=20000');
      await using other = await Window.open('/flow');
      expect(await window.answer(1)).toBe('second of 1');
      await other.answer(5);
      const { port } = hosts[0]!.process;
      await hosts[0]!.kill();
      expect(await window.answer(2)).toBe('third of 1+2');
      expect(await window.answer(3)).toBe('fourth of 1+2+3');
      expect(await other.answer(6)).toBe('third of 5+6');
      expect(new Set([...window.answeredBy.slice(2), ...other.answeredBy.slice(2)])).toEqual(new Set(['host1']));
      await hosts[0]!.start({ port });
      // HAProxy sends to it again when it has seen it.
      await expect
        .poll(async () => (await fetch(`${balancer.url}/flow`)).headers.get('x-host'), { timeout: 20_000 })
        .toBe('host0');
      await hosts[1]!.kill();
      expect(await window.answer(4)).toMatch(/^1\+2\+3\+4 and 2000\d$/);
      expect(await other.answer(7)).toBe('fourth of 5+6+7');
      await window.page.goBack();
      expect(await window.answer(40)).toMatch(/^1\+2\+3\+40 and 2000\d$/);
      await hosts[1]!.start();
    });
  },
);
