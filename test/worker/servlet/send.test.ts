import { describe, expect, test } from 'vitest';
import { sendSuspend } from '../../../packages/worker/src/servlet/send.ts';
import { CompiledServlet } from './compiled-servlet.ts';

const load = (body: string): Promise<CompiledServlet> =>
  CompiledServlet.load(`
    import { adjustTimeout, clearContinuations, continuationUrl, createTimeoutManager, currentRequest, html, native,
      onExpired, redirectGet, redirectGetForget, sendBack, sendFinish, sendForward, sendSuspend, sendSuspendDispatch,
      sendSuspendUrl, sendSuspendUrlDispatch, setAnyToResponse, webCell, webParameter, withErrorsToBrowser,
    } from '@custodian/worker';
    ${body}`);

describe('sendSuspend() and its family', () => {
  test('an instance is made only when something is captured', async () => {
    const servlet = await load(`export default async (request) => {
      if (request.query.has('plain')) return 'plain';
      await sendSuspend((url) => url);
      return 'done';
    }`);
    for (let times = 0; times < 3; times++) expect(await servlet.text('/s?plain')).toBe('plain');
    expect(await servlet.text('/s')).toMatch(/^\/s;k=r0\.1-1\.1\.1\./);
    expect(await servlet.text('/s')).toMatch(/^\/s;k=r0\.1-1\.2\.1\./);
  });

  test('sendSuspend() outside of a request rejects', async () => {
    await expect(sendSuspend(() => '')).rejects.toMatchObject({ code: 'SERVLET_NO_PROMPT' });
  });

  test('sendSuspend() while a page is made fails at the suspension that the page is for', async () => {
    const servlet = await load(`export default async () => {
      try { await sendSuspend(async (url) => { await sendSuspend((inner) => inner); return url; }); }
      catch (error) { return error.code; }
    }`);
    expect(await servlet.text('/s')).toBe('SERVLET_NO_PROMPT');
  });

  test('a page maker’s error is thrown at its suspension, which may show another page', async () => {
    const servlet = await load(`export default async () => {
      try { await sendSuspend(() => { throw new Error('no page'); }); }
      catch (error) { await sendSuspend((url) => html\`\${error.message} \${url}\`); }
      return 'done';
    }`);
    const page = await servlet.text('/s');
    expect(page).toContain('no page /s;k=');
    expect(await servlet.follow(page)).toBe('done');
  });

  test('currentRequest(), web parameters and web cells are there in the run, in the page’s making and after a resumption', async () => {
    const servlet = await load(`
      const parameter = webParameter('default'), cell = webCell('empty');
      const state = () => [parameter(), cell.get(), currentRequest().query.get('n')].join();
      export default async () => {
        const inner = await parameter.run('bound', async () => {
          cell.shadow('full');
          await sendSuspend((url) => html\`[\${state()}] \${url}\`);
          return state();
        });
        return html\`[\${inner}] [\${state()}]\`;
      };`);
    const page = await servlet.text('/s?n=1');
    expect(page).toContain('[bound,full,1]');
    for (const n of ['2', '3'])
      expect(await servlet.follow(page, `?n=${n}`)).toBe(`[bound,full,${n}] [default,full,${n}]`);
  });

  test('sendSuspendUrl() and sendSuspendUrlDispatch() give URLs with the host', async () => {
    const servlet = await load(`export default async () => {
      await sendSuspendUrl((url) => html\`\${url.host} \${url.href}\`);
      return sendSuspendUrlDispatch((embed) => html\`\${embed(() => 'visited').href}\`);
    }`);
    const page = await servlet.text('/s', ['Host', 'shop.example']);
    expect(page).toMatch(/^shop\.example http:\/\/shop\.example\/s;k=/);
    const second = await servlet.follow(page);
    expect(await servlet.follow(second)).toBe('visited');
  });

  test('an embedded function may suspend, fail, and be visited again', async () => {
    const servlet = await load(`
      async function ask(label) { const r = await sendSuspend((url) => html\`\${label} \${url}\`); return r.query.get('n'); }
      export default async () => {
        try {
          const value = await sendSuspendDispatch((embed) => html\`\${embed(async (request) => (await ask('more')) + request.query.get('a'))}
            \${embed(() => { throw new Error('visit failed'); })}\`);
          return 'value ' + value;
        } catch (error) { return 'caught ' + error.message; }
      };`);
    const page = await servlet.text('/s');
    const more = await servlet.follow(page, '?a=A');
    expect(await servlet.follow(more, '?n=1')).toBe('value 1A');
    expect(await servlet.follow(more, '?n=2')).toBe('value 2A');
    expect(await servlet.follow(page, '', 1)).toBe('caught visit failed');
  });

  test('in native(), suspensions can be answered once, embedded functions too', async () => {
    const servlet = await load(`export default async () => {
      const parts = await native(() => Promise.all([
        sendSuspendDispatch((embed) => html\`\${embed((request) => request.query.get('n'))}\`), Promise.resolve('other'),
      ]));
      return parts.join();
    }`);
    const page = await servlet.text('/s');
    expect(await servlet.follow(page, '?n=7')).toBe('7,other');
    await expect(servlet.follow(page, '?n=8')).rejects.toMatchObject({ code: 'SERVLET_ONE_SHOT' });
  });

  test('sendFinish() clears every continuation of the instance, and of no other', async () => {
    const servlet = await load(`export default async () => {
      await sendSuspend((url) => url);
      await sendSuspend((url) => url);
      return sendFinish('finished');
    }`);
    const [first, other] = [await servlet.text('/s'), await servlet.text('/s')];
    const second = await servlet.follow(first);
    expect(await servlet.follow(second)).toBe('finished');
    expect(servlet.manager.count).toBe(1);
    for (const page of [first, second]) expect(await servlet.follow(page)).toContain('This page has expired');
    expect(await servlet.follow(other)).toContain(';k=');
  });

  test('clearContinuations() and redirectGetForget() leave only what comes after', async () => {
    const servlet = await load(`export default async () => {
      await sendSuspend((url) => url);
      clearContinuations();
      await sendSuspend((url) => url);
      await redirectGetForget();
      return 'end';
    }`);
    const first = await servlet.text('/s');
    const second = await servlet.follow(first);
    expect(await servlet.follow(first)).toContain('expired');
    const redirect = await servlet.get(second);
    expect([redirect.status, redirect.body]).toEqual([303, '']);
    expect(await servlet.follow(second)).toContain('expired');
    expect(await servlet.text(/Location: (\S+)/.exec(redirect.headerLines)![1]!)).toBe('end');
  });

  test('onExpired() answers for what is captured in it, may suspend itself, and travels with the continuation', async () => {
    const servlet = await load(`
      async function again() { await sendSuspend((url) => html\`expired \${url}\`); return 'went on'; }
      export default () => onExpired(again, async () => {
        await sendSuspend((url) => url);
        await sendSuspend((url) => url);
        return sendFinish('finished');
      });`);
    const first = await servlet.text('/s');
    const second = await servlet.follow(first);
    await servlet.follow(second);
    for (const page of [first, second]) {
      const expired = await servlet.follow(page);
      expect(expired).toContain('expired /s;k=');
      expect(await servlet.follow(expired)).toBe('went on');
    }
  });

  test('headers that the author sets stay, the others protect the URL', async () => {
    const servlet = await load(`export default async (request) => {
      await sendSuspend((url) => ({ headers: request.query.has('own') ? { 'cache-control': 'private', 'Referrer-Policy': 'no-referrer' } : {}, body: url }));
      return 'end';
    }`);
    expect((await servlet.get('/s')).headerLines).toMatch(
      /Referrer-Policy: same-origin\r\nCache-Control: no-store\r\n$/,
    );
    const own = (await servlet.get('/s?own')).headerLines.toLowerCase();
    expect(own.match(/cache-control|referrer-policy/g)).toHaveLength(2);
    const page = await servlet.text('/s');
    expect((await servlet.get(page)).headerLines).not.toContain('no-store');
  });

  test('setAnyToResponse() makes pages of what is none', async () => {
    const servlet = await load(`
      setAnyToResponse((value) => typeof value === 'number' ? html\`<b>\${value}</b>\` : undefined);
      export const off = () => setAnyToResponse(null);
      export default (request) => request.query.has('n') ? 42 : Symbol('s');`);
    expect(await servlet.text('/s?n')).toBe('<b>42</b>');
    await expect(servlet.text('/s')).rejects.toMatchObject({ code: 'SERVLET_RESPONSE_TYPE' });
    (servlet.exports['off'] as () => void)();
    await expect(servlet.text('/s?n')).rejects.toMatchObject({ code: 'SERVLET_RESPONSE_TYPE' });
  });

  test('continuationUrl() tells the parts of an address, and null of anything else', async () => {
    const servlet = await load(`export default async () => {
      await sendSuspend((url) => html\`\${url} \${JSON.stringify(continuationUrl(url))} \${continuationUrl('/s;k=x')}\`);
    }`);
    const page = (await servlet.text('/s')).replaceAll('&quot;', '"');
    const [, nonce] = /;k=r0\.1-1\.1\.1\.(\S+) /.exec(page)!;
    expect(page).toContain(JSON.stringify({ instance: 1, continuation: 1, nonce }));
  });

  test('continuations that share a tail are charged for it once', async () => {
    const servlet = await load(`
      async function deep(n) { if (n === 0) { for (;;) await sendSuspend((url) => url); } const x = await deep(n - 1); return x + n; }
      export default () => deep(200);`);
    let page = await servlet.text('/s');
    const first = servlet.manager.bytes;
    for (let times = 0; times < 10; times++) page = await servlet.follow(page);
    expect(first).toBeGreaterThan(200 * 96);
    expect(servlet.manager.bytes - first).toBeLessThan(10 * 1000);
  });
});
