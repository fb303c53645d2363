import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Host, serve } from '../../packages/host/src/index.ts';
import { CHROMIUM, CHROMIUM_ARGS } from './chromium.ts';
import { Window } from './window.ts';

if (CHROMIUM === undefined) console.warn('test/e2e/examples.test.ts is skipped: Chromium is not installed');

/** Chromium with JavaScript off. */
describe.skipIf(CHROMIUM === undefined)('the examples in a browser', { timeout: 60_000 }, () => {
  let host: Host;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    const names = ['checkout', 'count-dot-com', 'counters', 'guess'];
    host = await serve({
      servlets: names.map((name) => fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url))),
    });
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await host?.close();
  });
  beforeEach(async () => {
    context = await browser.newContext({ javaScriptEnabled: false });
  });
  afterEach(() => context.close());

  const open = (name: string): Promise<Window> => Window.open(context, `${host.url}/${name}`);

  describe('count-dot-com', () => {
    const up = 'a:nth-of-type(2)';
    const down = 'a:nth-of-type(1)';
    const shown = (window: Window): Promise<string> => window.page.innerText('strong');

    test('Back and the other link count from the page that is shown', async () => {
      const window = await open('count-dot-com');
      for (let i = 0; i < 3; i++) await window.press(up);
      expect(await shown(window)).toBe('3');
      await window.back();
      await window.back();
      expect(await shown(window)).toBe('1');
      await window.press(down);
      await window.press(down);
      expect(await shown(window)).toBe('-1');
    });

    test('Forward leads to the count that was left, and Refresh counts once', async () => {
      const window = await open('count-dot-com');
      await window.press(up);
      await window.press(up);
      await window.back();
      await window.forward();
      await window.refresh();
      await window.refresh();
      expect(await shown(window)).toBe('2');
      await window.press(up);
      expect(await shown(window)).toBe('3');
    });

    test('a duplicated tab and a second window count by themselves', async () => {
      const window = await open('count-dot-com');
      await window.press(up);
      const tab = await window.duplicate();
      const second = await open('count-dot-com');
      await window.press(up);
      await tab.press(down);
      await second.press(down);
      await tab.press(down);
      expect([await shown(window), await shown(tab), await shown(second)]).toEqual(['2', '-1', '-1']);
    });
  });

  describe('guess', () => {
    /** Plays on from the page that is shown. @returns how many guesses it says */
    async function win(window: Window): Promise<number> {
      for (let low = 1, high = 100; ;) {
        const guess = Math.floor((low + high) / 2);
        await window.send({ guess: String(guess) });
        const text = await window.text();
        const won = /took you (\d+) guess/.exec(text);
        if (won) return Number(won[1]);
        if (text.includes('too low')) low = guess + 1;
        else high = guess - 1;
      }
    }

    test('Back and another guess replaces the one that was made', async () => {
      const window = await open('guess');
      await window.send({ guess: '0' });
      expect(await window.text()).toContain('0 is too low.');
      await window.send({ guess: 'x' });
      await window.back();
      expect(await window.text()).toContain('Guess 2');
      await window.send({ guess: '101' });
      expect(await window.text()).toMatch(/101 is too high\.[^]*Guess 3/);
      await window.back();
      await window.back();
      const guesses = await win(window);
      expect(guesses).toBeLessThanOrEqual(7);
    });

    test('Forward and Refresh make no guess', async () => {
      const window = await open('guess');
      await window.send({ guess: '0' });
      await window.back();
      await window.forward();
      await window.refresh();
      await window.refresh();
      expect(await window.text()).toContain('Guess 2');
    });

    test('duplicated tabs play one game, which is over in both when it is won in one; another window plays its own', async () => {
      const window = await open('guess');
      await window.send({ guess: '0' });
      const tab = await window.duplicate();
      const other = await open('guess');
      await tab.send({ guess: '101' });
      await win(window);
      await tab.send({ guess: '50' });
      expect(await tab.text()).toContain('This page has expired');
      await win(other);
    });

    test('Back from the end says that the page has expired, and leads to another game', async () => {
      const window = await open('guess');
      await window.send({ guess: '0' });
      await win(window);
      await window.back();
      expect(await window.text()).toContain('This page has expired');
      await window.press('a');
      expect(await window.text()).toContain('Guess 1');
    });
  });

  describe('checkout', () => {
    async function toSummary(ware: string, address?: string): Promise<Window> {
      const window = await open('checkout');
      await window.check(ware);
      await window.send();
      await window.check(address === undefined ? 'fetched' : 'shipped');
      await window.send();
      if (address !== undefined) await window.send({ address });
      return window;
    }
    const receiptOf = async (window: Window): Promise<number> =>
      Number(/Receipt number (\d+)/.exec(await window.text())?.[1]);
    /** The number of payments so far, told by another visitor's. */
    async function payOnceMore(): Promise<number> {
      const window = await toSummary('Bread');
      await window.send();
      return receiptOf(window);
    }

    test('Back changes what was chosen, and the branch is taken anew', async () => {
      const window = await toSummary('Tea', 'Home');
      expect(await window.text()).toContain('Together 9 €');
      await window.back();
      await window.back();
      await window.check('fetched');
      await window.send();
      expect(await window.text()).toContain('Together 4 €. You fetch it');
      await window.back();
      await window.back();
      await window.check('Bread');
      await window.send();
      await window.send();
      expect(await window.text()).toMatch(/Together (3|7) €/);
    });

    test('Forward and Refresh show the page again', async () => {
      const window = await toSummary('Chess set', 'Home');
      await window.back();
      await window.forward();
      await window.refresh();
      expect(await window.text()).toContain('Together 30 €. It will be sent to Home.');
    });

    test('Back after the payment and paying again is not possible: one payment', async () => {
      const window = await toSummary('Tea');
      await window.send({ name: 'Ada' });
      expect(await window.text()).toContain('Ada has paid 4 €, once.');
      const receipt = await receiptOf(window);
      await window.back();
      expect(await window.text()).toContain('This page has expired');
      await window.refresh();
      await window.forward();
      expect(await receiptOf(window)).toBe(receipt);
      expect(await payOnceMore()).toBe(receipt + 1);
    });

    test('Refresh of the receipt does not pay again', async () => {
      const window = await toSummary('Tea');
      await window.send();
      const receipt = await receiptOf(window);
      for (let times = 0; times < 3; times++) await window.refresh();
      expect(await receiptOf(window)).toBe(receipt);
      expect(await payOnceMore()).toBe(receipt + 1);
    });

    test('a duplicated summary pays once, whichever tab is first', async () => {
      const window = await toSummary('Tea');
      const tab = await window.duplicate();
      await tab.send({ name: 'Tab' });
      const receipt = await receiptOf(tab);
      await window.send({ name: 'Window' });
      expect(await window.text()).toContain('This page has expired');
      expect(await payOnceMore()).toBe(receipt + 1);
    });

    test('two windows buy beside each other', async () => {
      const [first, second] = [await toSummary('Tea'), await toSummary('Chess set', 'Home')];
      await second.send({ name: 'Second' });
      await first.send({ name: 'First' });
      expect(await first.text()).toContain('First has paid 4 €');
      expect(await second.text()).toContain('Second has paid 30 €');
    });
  });

  describe('the two counters', () => {
    const plus = (which: 1 | 2): string => `p:nth-of-type(${which}) a`;
    const shown = async (window: Window): Promise<string> =>
      (await window.page.locator('strong').allInnerTexts()).join(' ');

    test('Back and the other counter: every page has values of its own', async () => {
      const window = await open('counters');
      await window.press(plus(1));
      expect(await shown(window)).toBe('1 0');
      const branch = await window.duplicate();
      await window.back();
      await window.press(plus(2));
      expect(await shown(window)).toBe('0 1');
      await branch.press(plus(1));
      expect(await shown(branch)).toBe('2 0');
      await window.press(plus(1));
      expect(await shown(window)).toBe('1 1');
      await branch.back();
      await branch.press(plus(2));
      expect(await shown(branch)).toBe('1 1');
    });

    test('Forward and Refresh count nothing twice', async () => {
      const window = await open('counters');
      await window.press(plus(1));
      await window.press(plus(2));
      await window.back();
      await window.forward();
      await window.refresh();
      await window.refresh();
      expect(await shown(window)).toBe('1 1');
    });

    test('a second window has counters of its own', async () => {
      const [first, second] = [await open('counters'), await open('counters')];
      await first.press(plus(1));
      await second.press(plus(2));
      await first.press(plus(1));
      expect([await shown(first), await shown(second)]).toEqual(['2 0', '0 1']);
    });
  });
});
