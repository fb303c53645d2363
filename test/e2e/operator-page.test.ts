import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PAGE } from '../../packages/host/src/admin/page.ts';
import type { HostSnapshot } from '../../packages/host/src/admin/snapshot.ts';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import { CHROMIUM, CHROMIUM_ARGS } from './chromium.ts';

if (CHROMIUM === undefined) console.warn('test/e2e/operator-page.test.ts is skipped: Chromium is not installed');

describe.skipIf(CHROMIUM === undefined)("the operator's page in a browser", { timeout: 60_000 }, () => {
  let started: StartedHost;
  let browser: Browser;
  let page: Page;
  const stateDir = mkdtempSync(join(tmpdir(), 'custodian-page-'));
  const complaints: string[] = [];

  beforeAll(async () => {
    started = await StartedHost.start(
      {
        hello: `export default () => 'hello';`,
        burn: `export default () => { for (const end = Date.now() + 4000; Date.now() < end;); return 'burnt'; };`,
        listens: `export default (request) => JSON.stringify([request.url, ...request.headers]);`,
        '<img src=x onerror=alert(1)>': `export default () => 'odd';`,
        spin: `export default () => { for (;;); };`,
        flow: `
          import { sendSuspend } from '@custodian/worker';
          export default async () => { for (;;) await sendSuspend((url) => '<a href="' + url + '">on</a>'); };`,
      },
      { stateDir, admin: true },
      {
        spin: { limits: { cpuMs: 400 } },
        burn: { spareThreads: 0, limits: { cpuMs: 9000 } },
        flow: { spareThreads: 0, limits: { threadsMaxCount: 1 } },
      },
    );
    await started.host.ready();
    await started.warm('/hello', '/spin');
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
    page = await (await browser.newContext()).newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(started.host.adminUrl as string);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await started?.[Symbol.asyncDispose]();
    rmSync(stateDir, { recursive: true, force: true });
  });

  test('takes the token out of its address, and has no complaint in its console', async () => {
    await page.getByText('Live').waitFor();
    expect(page.url()).toBe(`${new URL(started.host.adminUrl as string).origin}/_custodian`);
    expect(complaints).toEqual([]);
    await page.reload();
    await page.getByText('Live').waitFor();
  });

  test('keeps the token from servlets, which are at the same host for a browser', async () => {
    const token = new URL(started.host.adminUrl as string).hash.slice('#token='.length);
    const visit = await page.context().newPage();
    await visit.goto(started.url + '/listens');
    const heard = await visit.content();
    expect(heard).toContain('/listens');
    expect(heard).not.toContain(token);
    expect(heard).not.toMatch(/cookie/i);
    expect(await visit.evaluate('sessionStorage.length + localStorage.length + document.cookie.length')).toBe(0);
    await visit.close();
  });

  test('shows nothing without the token, and says where it is', async () => {
    const context = await browser.newContext();
    const stranger = await context.newPage();
    await stranger.goto(`${new URL(started.host.adminUrl as string).origin}/_custodian#token=no`);
    await stranger.getByText('This page needs the token').waitFor();
    expect(await stranger.getByRole('article').count()).toBe(0);
    await context.close();
  });

  test('shows servlets, threads and cells with bars, and obituaries; names are text whatever they are', async () => {
    const hello = page.getByRole('article', { name: 'Servlet hello' });
    await hello.getByText(/1 request · 0 failures · 0 deaths/).waitFor();
    expect(await hello.getByRole('meter').first().getAttribute('aria-label')).toMatch(
      /^Memory of hello, thread \d+ of cell \d+$/,
    );
    expect(await page.getByRole('article', { name: 'Servlet <img' }).count()).toBe(1);
    expect(await page.locator('img').count()).toBe(0);
    await page
      .getByRole('listitem')
      .getByText(/spin, thread 1 of cell \d+, cpuMs 400, at GET \/spin/)
      .waitFor();
    // The head of the table and two cells. One of them may be on its way: spare ones start behind those that are taken.
    await eventually(
      () => page.getByRole('row').count(),
      (count) => count >= 3,
    );
  });

  test('shows the CPU time of a request that runs against its cap', async () => {
    const spinning = fetch(`${started.url}/burn`);
    const bar = page.getByRole('meter', { name: /^CPU time of the request in burn, thread/ }).first();
    const value = async (): Promise<number> =>
      (await bar.count()) === 0 ? 0 : Number(await bar.getAttribute('value'));
    await eventually(value, (ms) => ms > 500, { ms: 15_000 });
    expect(await bar.getAttribute('max')).toBe('9000');
    await (await spinning).text();
  });

  test('follows what happens without being loaded again', async () => {
    await started.warm('/hello', '/hello');
    const numbers = page.getByRole('article', { name: 'Servlet hello' }).getByText(/3 requests/);
    await numbers.waitFor();
    expect(await numbers.count()).toBe(1);
  });

  test('kills a thread by its button, by keyboard alone, and shows its obituary', async () => {
    const button = page.getByRole('button', { name: /^Kill hello, thread/ }).first();
    const name = (await button.getAttribute('aria-label')) as string;
    await button.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText(`${name}: done.`).waitFor();
    await page.getByRole('listitem').getByText('operator').waitFor();
    expect(await (await fetch(`${started.url}/hello`)).text()).toBe('hello');
  });

  test('collects, and brings a heap snapshot as a download', async () => {
    await page
      .getByRole('button', { name: /^Collect the garbage of hello/ })
      .first()
      .click();
    await page
      .getByRole('alert')
      .getByText(/^Collect .*: done\.$/)
      .waitFor();
    const download = page.waitForEvent('download');
    await page
      .getByRole('button', { name: /^Take a heap snapshot of hello/ })
      .first()
      .click();
    expect((await download).suggestedFilename()).toMatch(/^cell-\d+-thread-\d+\.heapsnapshot$/);
  });

  test('shows instances with their continuations as a tree, which opens by keyboard and stays open', async () => {
    const first = await (await fetch(`${started.url}/flow`)).text();
    const next = /href="([^"]+)"/.exec(first)?.[1] as string;
    await (await fetch(started.url + next)).text();
    const thread = page.getByRole('list', { name: 'Threads of flow' }).getByRole('listitem').first();
    const instances = thread.locator('summary').first();
    await instances.getByText(/^1 instance$/).waitFor();
    await instances.focus();
    await page.keyboard.press('Enter');
    const instance = thread.getByText(/^instance 1: 2 continuations, [\d.]+ KB, \d+ s old$/);
    await instance.focus();
    await page.keyboard.press('Space');
    await thread.getByText(/^continuation 2: [\d.]+ KB, \d+ s old$/).waitFor();
    for (let count = 0; count < 51; count++) await (await fetch(`${started.url}/flow`)).text();
    await instances.getByText(/^52 instances$/).waitFor();
    await thread.getByText('and 2 more').waitFor();
    expect(await thread.locator('summary').count()).toBe(51);
    expect(await thread.getByText(/^instance 52: 1 continuation, /).count()).toBe(1);
  });

  test('reloads a servlet', async () => {
    started.directory.write('hello', `export default () => 'hello anew';`);
    await page.getByRole('button', { name: 'Reload hello' }).click();
    await page.getByRole('alert').getByText('Reload hello: done.').waitFor();
    expect(await (await fetch(`${started.url}/hello`)).text()).toBe('hello anew');
  });

  test('fits a phone', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    const widths = (): Promise<unknown> => page.evaluate('[document.documentElement.scrollWidth, innerWidth]');
    expect(await widths()).toEqual([360, 360]);
    // The table of cells scrolls within itself, whatever is in it.
    await page.evaluate(
      `document.querySelector('#cells td:nth-child(3)').textContent = 'a long name '.repeat(9).replaceAll(' ', '_')`,
    );
    expect(await widths()).toEqual([360, 360]);
  });

  test('has each death once, those of one cell and moment too, as it was told, and says so when the host says nothing any more', async () => {
    const { origin, hash } = new URL(started.host.adminUrl as string);
    const headers = { authorization: `Bearer ${decodeURIComponent(hash.slice('#token='.length))}` };
    const state = (await (await fetch(`${origin}/_custodian/state.json`, { headers })).json()) as HostSnapshot;
    const [death] = state.obituaries;
    const detail = 'it said \u202Eesrever\u2066';
    const obituaries = [2, 1].map((number) => ({ ...death, number, detail }));
    const silent = createServer((request, response) => {
      if (!request.url?.endsWith('/events')) {
        response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let count = 0; count < 3; count++) response.write(`data: ${JSON.stringify({ ...state, obituaries })}\n\n`);
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const other = await page.context().newPage();
    try {
      await other.goto(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/_custodian#token=x`);
      await other.getByText('Live').waitFor();
      await sleep(1000);
      expect(await other.locator('#obituaries > li').count()).toBe(2);
      // No mark turns the direction of what the host says behind it.
      expect(await other.locator('#obituaries').innerText()).toContain('it said \uFFFDesrever\uFFFD (peak');
      await other.getByText('The host has said nothing for some seconds').waitFor({ timeout: 10_000 });
      expect(await other.locator('#link').getAttribute('class')).toBe('lost');
    } finally {
      await other.close();
      silent.closeAllConnections();
      silent.close();
    }
  });

  test('says so when the host is gone', async () => {
    await started.host.close();
    await page.getByText('The host does not answer').waitFor();
    expect(await page.locator('#link').getAttribute('class')).toBe('lost');
  });
});
