import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Host, serve } from '../../packages/host/src/index.ts';
import { CHROMIUM, CHROMIUM_ARGS } from './chromium.ts';

if (CHROMIUM === undefined) console.warn('test/e2e/back.test.ts is skipped: Chromium is not installed');

/** Chromium with JavaScript off: what a visitor does with Back, Refresh and windows must need none. */
describe.skipIf(CHROMIUM === undefined)('sum2 in a browser', { timeout: 60_000 }, () => {
  let host: Host;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    host = await serve({ servlets: [fileURLToPath(new URL('../../examples/sum2.ts', import.meta.url))] });
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await host?.close();
  });
  beforeEach(async () => {
    context = await browser.newContext({ javaScriptEnabled: false });
    page = await context.newPage();
  });
  afterEach(() => context.close());

  async function start(on: Page = page): Promise<void> {
    await on.goto(`${host.url}/sum2`);
  }
  async function answer(number: number, on: Page = page): Promise<void> {
    await on.fill('input[name=number]', String(number));
    await Promise.all([on.waitForEvent('load'), on.click('input[type=submit]')]);
  }
  const text = (on: Page = page): Promise<string> => on.innerText('body');
  /** What Duplicate does: the same address, with its own history. */
  async function duplicate(): Promise<Page> {
    const other = await context.newPage();
    await other.goto(page.url());
    return other;
  }

  test('two numbers give their sum', async () => {
    await start();
    await answer(3);
    expect(await text()).toContain('Second number');
    await answer(4);
    expect(await text()).toContain('The sum is 7.');
  });

  test('Back to the first number, another one: both branches end with their own sum', async () => {
    await start();
    await answer(3);
    // The second question of the first branch stays open in another tab.
    const firstBranch = await duplicate();
    await page.goBack();
    expect(await text()).toContain('First number');
    await answer(100);
    await answer(1);
    expect(await text()).toContain('The sum is 101.');
    await answer(4, firstBranch);
    expect(await text(firstBranch)).toContain('The sum is 7.');
  });

  test('Back from the sum to the second number, as often as one likes', async () => {
    await start();
    await answer(3);
    for (const second of [4, 10, 20]) {
      await answer(second);
      expect(await text()).toContain(`The sum is ${3 + second}.`);
      await page.goBack();
      expect(await text()).toContain('Second number');
    }
    await page.goBack();
    await answer(5);
    await answer(6);
    expect(await text()).toContain('The sum is 11.');
  });

  test('Forward leads to the page that was left', async () => {
    await start();
    await answer(3);
    await page.goBack();
    await page.goForward();
    expect(await text()).toContain('Second number');
    await answer(4);
    expect(await text()).toContain('The sum is 7.');
  });

  test('Refresh repeats the answer, not what came before it', async () => {
    await start();
    await answer(3);
    await answer(4);
    for (let times = 0; times < 3; times++) {
      await page.reload();
      expect(await text()).toContain('The sum is 7.');
    }
    await page.goBack();
    await page.reload();
    expect(await text()).toContain('Second number');
    await answer(8);
    expect(await text()).toContain('The sum is 11.');
  });

  test('two windows run beside each other, and a duplicated tab is a third', async () => {
    const second = await context.newPage();
    await start();
    await start(second);
    await answer(1);
    await answer(10, second);
    const fresh = await context.newPage();
    await start(fresh);
    await answer(2);
    await answer(20, second);
    await answer(100, fresh);
    await answer(200, fresh);
    expect([await text(), await text(second), await text(fresh)].map((shown) => /\d+/.exec(shown)![0])).toEqual([
      '3',
      '30',
      '300',
    ]);
  });

  test('a duplicated tab goes on by itself', async () => {
    await start();
    await answer(3);
    await page.goBack();
    const tab = await duplicate();
    await answer(7);
    await answer(30, tab);
    await answer(1);
    await answer(2, tab);
    expect(await text()).toContain('The sum is 8.');
    expect(await text(tab)).toContain('The sum is 32.');
  });
});
