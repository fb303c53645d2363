import { describe, expect, test } from 'vitest';
import { bodyOf, CompiledServlet } from './compiled-servlet.ts';

/** `ask(label)` shows a page with the label, and returns the `n` that it was answered with. */
const load = (body: string): Promise<CompiledServlet> =>
  CompiledServlet.load(`
    import { AsyncLocalStorage } from 'node:async_hooks';
    import { html, sendSuspend } from '@custodian/worker';
    async function ask(label: unknown): Promise<string> {
      const reply = await sendSuspend((url) => html\`\${label} \${url}\`);
      return reply.query.get('n') ?? '';
    }
    ${body}`);

describe('what belongs to a page, and what to all pages of a visit', () => {
  test('arrays, Maps and what `this` has are shared', async () => {
    const servlet = await load(`class Visit {
      count = 0;
      async run() {
        const cart: string[] = [], seen = new Map<string, number>();
        const item = await ask('item');
        cart.push(item); seen.set(item, ++this.count);
        return html\`\${cart.join()} \${seen.size} \${this.count}\`;
      }
    }
    export default () => new Visit().run();`);
    const page = await servlet.text('/s');
    expect(await servlet.follow(page, '?n=tea')).toBe('tea 1 1');
    expect(await servlet.follow(page, '?n=milk')).toBe('tea,milk 2 2');
  });

  test('a list that is made anew with each answer is the page’s own', async () => {
    const servlet = await load(`export default async () => {
      let cart: string[] = [];
      for (let i = 0; i < 2; i++) cart = [...cart, await ask('item ' + i)];
      return html\`\${cart.join()}\`;
    };`);
    const second = await servlet.follow(await servlet.text('/s'), '?n=tea');
    expect(await servlet.follow(second, '?n=milk')).toBe('tea,milk');
    expect(await servlet.follow(second, '?n=salt')).toBe('tea,salt');
  });

  test('a closure has a copy of what it is handed, and the value of what is assigned no more', async () => {
    const servlet = await load(`export default async () => {
      let total = Number(await ask('first'));
      const soFar = total, wasSoFar = () => soFar;
      total += Number(await ask('second'));
      const now = () => total;
      await ask('sum');
      return html\`\${wasSoFar()} \${now()}\`;
    };`);
    const first = await servlet.text('/s');
    const pages = await Promise.all(
      ['1', '2'].map(async (n) => servlet.follow(await servlet.follow(first, `?n=${n}`), `?n=${n}0`)),
    );
    const texts = async (): Promise<string[]> => Promise.all(pages.map((page) => servlet.follow(page)));
    expect([await texts(), await texts()]).toEqual([
      ['1 11', '2 22'],
      ['1 11', '2 22'],
    ]);
  });

  test('a variable that is declared below a function that uses it is one for all pages', async () => {
    const servlet = await load(`export default async () => {
      function current() { return n; }
      await ask('before');
      const n = await ask('n');
      await ask('after');
      return html\`\${current()} \${n}\`;
    };`);
    const before = await servlet.follow(await servlet.text('/s'));
    const three = await servlet.follow(before, '?n=3');
    expect(await servlet.follow(three)).toBe('3 3');
    const five = await servlet.follow(before, '?n=5');
    expect([await servlet.follow(five), await servlet.follow(three)]).toEqual(['5 5', '5 5']);
  });

  test('AsyncLocalStorage of the author’s own belongs to the request that set it', async () => {
    const servlet = await load(`const storage = new AsyncLocalStorage<string>();
    export default () => storage.run('of the first request', async () => {
      const before = storage.getStore();
      await ask('page');
      return html\`\${before}, \${storage.getStore() ?? 'nothing'}\`;
    });`);
    const page = await servlet.text('/s');
    for (let times = 0; times < 2; times++) expect(await servlet.follow(page)).toBe('of the first request, nothing');
  });

  test('what came before a page is not done again', async () => {
    const servlet = await load(`export let effects = 0;
    export default async () => {
      effects++;
      const id = Math.random();
      await ask(id);
      return html\`\${id}\`;
    };`);
    const page = await servlet.text('/s');
    for (let times = 0; times < 3; times++) expect(page.startsWith(await servlet.follow(page))).toBe(true);
    expect(servlet.exports['effects']).toBe(1);
  });
});

describe('a page that has expired', () => {
  test('leads to the start that the servlet says, or to the path that was asked for', async () => {
    const servlet = await load(`export default async () => { await ask('x'); };`);
    await servlet.text('/s');
    const expired = await servlet.get(`/s/deep/er;k=r0.1-1.9.9.${'A'.repeat(22)}?n=1`);
    expect(expired.status).toBe(410);
    expect(await bodyOf(expired)).toContain('<a href="/s/deep/er">Start again</a>');
  });
});
