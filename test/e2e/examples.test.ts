import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { testHost, type TestHost } from '@custodian/host/testing';
import { CHROMIUM, CHROMIUM_ARGS } from './chromium.ts';

const EXAMPLES = ['index', 'login', 'formlet', 'blog', 'checkout', 'counters'];
const file = (name: string): string => fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url));

let host: TestHost;
let state: string;
beforeAll(async () => {
  const servlets = EXAMPLES.map((name) => ({ file: file(name), cell: 'examples', spareThreads: 0 }));
  state = mkdtempSync(join(tmpdir(), 'custodian-examples-'));
  host = await testHost({ servlets, stateDir: state, isDevelopment: true, limits: { wallMs: 60_000 } });
  await host.ready();
}, 60_000);
afterAll(async () => {
  await host?.close();
  rmSync(state, { recursive: true });
});

describe('the examples, by the testing kit', { timeout: 60_000 }, () => {
  test('login lets in who knows the password, and nobody who makes a cookie of his own', async () => {
    const tab = await host.browse('/login');
    await tab.fill('Name', 'ada').fill('Password', 'wrong').submit('Log in');
    expect([tab.status, tab.text]).toEqual([403, expect.stringContaining('do not belong together')]);
    expect(tab.query('input[name=name]')?.attribute('value')).toBe('ada');
    await tab.fill('Password', 'analytical').submit('Log in');
    expect([tab.status, tab.url, tab.text]).toEqual([200, `${host.url}/login`, expect.stringContaining('as ada')]);
    await tab.reload();
    expect(tab.text).toContain('as ada');
    await tab.submit('Log out');
    expect(tab.text).not.toContain('as ada');
    const forged = await host.browse('/login', { headers: { cookie: 'visitor=ada' } });
    expect(forged.title).toBe('Log in');
    const nobody = await host.browse('/login');
    await nobody.fill('Name', 'eve').fill('Password', '').submit('Log in');
    expect(nobody.status).toBe(403);
  });

  test('formlet shows what is not right beside each field, keeps the rest, and takes Back', async () => {
    const tab = await host.browse('/formlet');
    await tab.fill('Your name', 'Ada').fill('Cups', 20).check('Lemon').submit('Order');
    for (const problem of ['From one to twelve.', 'Hot, or iced?', 'Which day?']) expect(tab.text).toContain(problem);
    expect(tab.query('[name=input_0]')?.attribute('value')).toBe('Ada');
    await tab.fill('Cups', 2).choose('iced').submit('Order');
    expect(tab.text).not.toContain('From one to twelve.');
    expect(tab.text).toContain('Which day?');
    await tab.back();
    expect(tab.text).toContain('From one to twelve.');
  });

  test('checkout is paid once: who goes back is told that what he paid is paid', async () => {
    const tab = await host.browse('/checkout');
    await tab.check('Tea, 4 €').submit('Go on');
    await tab.submit('Go on');
    await tab.fill('Your name', 'Ada').submit('Pay');
    expect(tab.text).toContain('Ada has paid 4 €, once. Receipt number 1.');
    await tab.back();
    expect([tab.status, tab.text]).toEqual([410, expect.stringContaining('what was done before is done')]);
    expect(tab.text).not.toContain('This visit has changed nothing');
    await tab.click('Start again');
    expect(tab.title).toBe('What would you like?');
  });

  test('blog leads from its list to each post by readable addresses, and takes new ones', async () => {
    const tab = await host.browse('/blog');
    await tab.click('A first post');
    expect([tab.url, tab.title]).toEqual([`${host.url}/blog/posts/A%20first%20post`, 'A first post']);
    await tab.click('Write one');
    await tab
      .fill('Title', 'Tea & <b>bread</b>/50 %?')
      .fill('Text', '<script>alert(1)</script>\n\nTwo.')
      .submit('Publish');
    expect(tab.url).toBe(`${host.url}/blog/posts/Tea%20%26%20%3Cb%3Ebread%3C%2Fb%3E%2F50%20%25%3F`);
    expect(tab.text).toContain('<script>alert(1)</script>');
    expect(tab.queryAll('p').length).toBe(2);
    await tab.click('All posts');
    expect(tab.queryAll('article h2').map(({ text }) => text)).toEqual(['Tea & <b>bread</b>/50 %?', 'A first post']);
    await tab.click('January 2026');
    expect([tab.url, tab.queryAll('article').length]).toEqual([`${host.url}/blog/archive/2026/01`, 1]);
    for (const path of ['/blog/posts/none', '/blog/archive/2026/13', '/blog/archive/x/1', '/blog/other'])
      expect((await host.browse(path)).status).toBe(404);
  });
});

describe.skipIf(CHROMIUM === undefined)('the examples in a browser without JavaScript', { timeout: 60_000 }, () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
  }, 60_000);
  afterAll(() => browser?.close());
  beforeEach(async () => {
    context = await browser.newContext({ javaScriptEnabled: false });
    page = await context.newPage();
  });
  afterEach(() => context.close());

  test('index leads to each of them, and no page is wider than a telephone, or flush with its edge', async () => {
    await page.setViewportSize({ width: 360, height: 800 });
    for (const name of EXAMPLES.slice(1)) {
      await page.goto(host.url);
      await page.getByRole('link', { name, exact: true }).click();
      await page.waitForURL(`${host.url}/${name}`);
      const [box, wide] = [await page.locator('html').boundingBox(), await page.locator('body').boundingBox()];
      expect([box!.width, wide!.x + wide!.width]).toEqual([360, expect.closeTo(360, -2)]);
    }
    await page.setViewportSize({ width: 320, height: 600 });
    for (const name of EXAMPLES) {
      await page.goto(`${host.url}/${name}`);
      const text = await page.locator('p').first().boundingBox();
      expect(text!.x, name).toBeGreaterThanOrEqual(16);
    }
  });

  test('login sets a cookie that scripts do not see, and Back after logging out shows no one', async () => {
    await page.goto(`${host.url}/login`);
    await page.getByLabel('Name').fill('grace');
    await page.getByLabel('Password').fill('compiler');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('You are logged in as grace').waitFor();
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ name: 'visitor', httpOnly: true, sameSite: 'Lax', path: '/' });
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    expect(await context.cookies()).toEqual([]);
  });

  test('formlet tells of a mistake beside its field, which has the focus; the right order is confirmed, and Back takes another', async () => {
    await page.goto(`${host.url}/formlet`);
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Tea').selectOption('Assam');
    await page.getByLabel('Milk').check();
    await page.getByLabel('hot').check();
    const [from, until] = [page.getByRole('group', { name: 'From' }), page.getByRole('group', { name: 'Until' })];
    for (const [group, day, month] of [
      [from, '31', '2'],
      [until, '1', '3'],
    ] as const) {
      await group.getByLabel('Day').fill(day);
      await group.getByLabel('Month').fill(month);
    }
    await page.getByRole('button', { name: 'Order' }).click();
    await page.getByText('There is no such day.').waitFor();
    expect(await page.locator('[aria-invalid=true]').count()).toBe(1);
    expect(await from.getByLabel('Day').inputValue()).toBe('31');
    expect(await page.getByLabel('Milk').isChecked()).toBe(true);
    await from.getByLabel('Day').fill('28');
    await page.getByRole('button', { name: 'Order' }).click();
    await page.getByText('Ada: 1 cup of Assam, hot, milk, every day').waitFor();
    await page.goBack();
    await page.getByLabel('Cups').fill('2');
    await page.getByRole('button', { name: 'Order' }).click();
    await page.getByText('2 cups of Assam').waitFor();
  });

  test('blog shows what visitors wrote as text', async () => {
    await page.goto(`${host.url}/blog/new`);
    await page.getByLabel('Title').fill('Über <i>');
    await page.getByLabel('Text').fill('<b>no</b>');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.waitForURL(/\/blog\/posts\//);
    expect(await page.locator('h1').innerText()).toBe('Über <i>');
    expect(await page.locator('p').innerText()).toBe('<b>no</b>');
    await page.getByRole('link', { name: 'All posts' }).click();
    await page.getByRole('link', { name: 'Über <i>' }).click();
    expect(new URL(page.url()).pathname).toBe('/blog/posts/%C3%9Cber%20%3Ci%3E');
  });
});
