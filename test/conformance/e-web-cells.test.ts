import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Host, serve } from '../../packages/host/src/index.ts';
import { StartedHost } from '../support/started-host.ts';
import { type Shown, Visitor } from '../support/visitor.ts';

const RESUMED = `
  import { html, sendSuspend, webCell } from '@custodian/worker';
  const cell = webCell(0);
  export default async function start() {
    await sendSuspend((url) => { cell.shadow(100); return html\`<a href="\${url}">\`; });
    cell.shadow(cell.get() + 1);
    const again = await sendSuspend((url) => html\`<b>\${cell.get()}</b><a href="\${url}">\`);
    return html\`<b>\${cell.get()}</b>\`;
  }`;

const numbers = (page: Shown): string => Array.from(page.text.matchAll(/<(?:b|strong)>(\d+)</g), (m) => m[1]).join();

describe('E. web cells', () => {
  test('C058 two counters: each page has its own values', async () => {
    const host: Host = await serve({
      servlets: [fileURLToPath(new URL('../../examples/counters.ts', import.meta.url))],
    });
    try {
      const visitor = new Visitor(host.url);
      const zero = await visitor.get('/counters');
      expect(numbers(zero)).toBe('0,0');
      const one = await visitor.follow(zero, {}, 0);
      expect(numbers(one)).toBe('1,0');
      const other = await visitor.follow(zero, {}, 1);
      expect(numbers(other)).toBe('0,1');
      expect(numbers(await visitor.follow(one, {}, 0))).toBe('2,0');
      expect(numbers(await visitor.follow(other, {}, 0))).toBe('1,1');
      expect(numbers(await visitor.follow(one, {}, 1))).toBe('1,1');
      expect(numbers(await visitor.follow(other, {}, 1))).toBe('0,2');
    } finally {
      await host.close();
    }
  });

  describe('shadowing', () => {
    let started: StartedHost;
    beforeAll(async () => {
      started = await StartedHost.start({ resumed: RESUMED });
    });
    afterAll(() => started[Symbol.asyncDispose]());

    test('C059 a cell that is shadowed after a resumption shows the same at every resumption; what the page’s making shadows is lost', async () => {
      const visitor = new Visitor(started.url);
      const page = await visitor.get('/resumed');
      const [first, second] = [await visitor.follow(page), await visitor.follow(page)];
      expect([numbers(first), numbers(second)]).toEqual(['1', '1']);
      expect(numbers(await visitor.follow(first))).toBe('1');
    });
  });
});
