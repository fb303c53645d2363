import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { sendSuspend } from '../../../packages/worker/src/servlet/send.ts';
import { bodyOf, CompiledServlet } from './compiled-servlet.ts';

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

  test('sendForward() while a page is made fails, and expires nothing', async () => {
    const servlet = await load(`export default async () => {
      await sendSuspend((url) => url);
      try { await sendSuspend(async (url) => { await sendForward((inner) => inner); return url; }); }
      catch (error) { return error.code; }
    }`);
    const page = await servlet.text('/s');
    for (let times = 0; times < 2; times++) expect(await servlet.follow(page)).toBe('SERVLET_NO_PROMPT');
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

  test.each([
    ['undefined', /a page's maker returned in servlet "test": it is undefined/],
    ['({ headers: { "a b": "c" } })', /header/],
    ['html`${Promise.reject(new Error("no piece"))}`', /no piece/],
  ])('so is that of a page which can’t be sent: %s', async (made, message) => {
    const servlet = await load(`export default async () => {
      try { await sendSuspend(() => ${made}); }
      catch (error) { await sendSuspend((url) => url + ' ' + error.message); }
      return 'done';
    }`);
    const page = await servlet.text('/s');
    expect(page).toMatch(message);
    expect(await servlet.follow(page)).toBe('done');
  });

  test.each([
    ['sendSuspend', `await sendSuspend('x')`, 'sendSuspend takes a function that makes it, and was given a string'],
    [
      'sendSuspendUrl',
      `await sendSuspendUrl('x')`,
      'sendSuspendUrl takes a function that makes it, and was given a string',
    ],
    [
      'sendSuspendHidden',
      `await sendSuspendHidden('x')`,
      'sendSuspendHidden takes a function that makes it, and was given a string',
    ],
    [
      'sendSuspendDispatch',
      `await sendSuspendDispatch('x')`,
      'sendSuspendDispatch takes a function that makes it, and was given a string',
    ],
    [
      'sendSuspendUrlDispatch',
      `await sendSuspendUrlDispatch('x')`,
      'sendSuspendUrlDispatch takes a function that makes it, and was given a string',
    ],
    [
      'sendForward',
      'await sendForward(undefined)',
      'sendForward takes a function that makes it, and was given undefined',
    ],
    ['page', 'page(Promise.resolve())', 'page takes a function that makes it, and was given a promise'],
    ['embedUrl', `await sendSuspendDispatch((embed) => embed({}))`, 'embedUrl was given an object'],
    ['embedUrl of URLs', `await sendSuspendUrlDispatch((embed) => embed(7))`, 'embedUrl was given a number'],
    ['that of page()', `await page(() => embedUrl('x'))(request)`, 'embedUrl was given a string'],
  ])('what is no function is refused by %s, in the author’s line', async (_, call, words) => {
    const servlet = await load(`
      import { embedUrl, page, sendSuspendHidden } from '@custodian/worker';
      export default async (request) => {
        let error;
        const url = (await sendSuspend((own) => own)).url;
        try {
          ${call};
        } catch (caught) { error = caught; }
        return [error.name, error.message, /servlet-\\d+\\.(?:ts|mjs)/.test(error.stack)].join();
      };`);
    const first = await servlet.text('/s');
    for (let times = 0; times < 2; times++) {
      const text = await servlet.follow(first);
      expect(text).toContain('TypeError,');
      expect(text).toContain(`${words},true`);
    }
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
      await redirectGetForget({ 'X-Own': 'yes', location: 'http://elsewhere.example/' });
      return 'end';
    }`);
    const first = await servlet.text('/s');
    const second = await servlet.follow(first);
    expect(await servlet.follow(first)).toContain('expired');
    const redirect = await servlet.get(second);
    expect([redirect.status, redirect.body]).toEqual([303, '']);
    expect(redirect.headerLines).toContain('X-Own: yes\r\n');
    expect(redirect.headerLines.match(/^location: .*/gim)).toEqual([expect.stringContaining(';k=')]);
    expect(await servlet.follow(second)).toContain('expired');
    expect(await servlet.text(/Location: (\S+)/.exec(redirect.headerLines)![1]!)).toBe('end');
  });

  test.each(['sendForward((url) => url)', 'redirectGetForget()', '(clearContinuations(), sendSuspend((url) => url))'])(
    'what %s expires is its own instance’s',
    async (call) => {
      const servlet = await load(`export default async () => {
        await sendSuspend((url) => url);
        await ${call};
        return 'end';
      }`);
      const [first, other] = [await servlet.text('/s'), await servlet.text('/s')];
      await servlet.get(first);
      expect(await servlet.follow(first)).toContain('expired');
      expect((await servlet.get(other)).status).toBeLessThan(400);
      expect(await servlet.follow(other)).toContain('expired');
    },
  );

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

  test('setAnyToResponse() is not asked about what is a response already', async () => {
    const servlet = await load(`
      export const asked = [];
      setAnyToResponse((value) => { asked.push(typeof value); return 'made'; });
      const values = { text: 'text', html: html\`<p>\`, response: new Response('response'), reply: { status: 201, body: 'reply' },
        bytes: new Uint8Array([104]), map: new Map() };
      export default (request) => values[request.query.get('kind')];`);
    for (const [kind, text] of [
      ['text', 'text'],
      ['html', '<p>'],
      ['response', 'response'],
      ['reply', 'reply'],
      ['bytes', 'h'],
      ['map', 'made'],
    ])
      expect(await servlet.text(`/s?kind=${kind}`)).toBe(text);
    expect(servlet.exports['asked']).toEqual(['object']);
  });

  test('continuationUrl() tells the parts of an address, and null of anything else', async () => {
    const servlet = await load(`export default async () => {
      await sendSuspend((url) => html\`\${url} \${JSON.stringify(continuationUrl(url))} \${continuationUrl('/s;k=x')}\`);
    }`);
    const page = (await servlet.text('/s')).replaceAll('&quot;', '"');
    const [, nonce] = /;k=r0\.1-1\.1\.1\.(\S+) /.exec(page)!;
    expect(page).toContain(JSON.stringify({ instance: 1, continuation: 1, nonce }));
  });

  test('a value that all pages keep is charged for once, and its growth when it grows', async () => {
    const servlet = await load(`export default async () => {
      const catalogue = Array.from({ length: 5000 }, (_, index) => ({ index, name: 'item ' + index }));
      for (;;) {
        const request = await sendSuspend((url) => url);
        for (let n = Number(request.query.get('more')); n > 0; n--) catalogue.push({ index: n, name: 'item ' + n });
      }
    }`);
    let page = await servlet.text('/s');
    const first = servlet.manager.bytes;
    expect(first).toBeGreaterThan(300_000);
    for (let times = 0; times < 20; times++) page = await servlet.follow(page);
    expect(servlet.manager.bytes - first).toBeLessThan(20 * 1000);
    await servlet.follow(page, '?more=5000');
    expect((servlet.manager.bytes - first) / first).toBeCloseTo(1, 0);
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

  test('sendBack() while a page is made leaves with its own page, finally blocks run', async () => {
    const servlet = await load(`let finals = 0;
    export default async (request) => {
      if (request.query.has('finals')) return String(finals);
      try { await sendSuspend(() => sendBack('instead')); } catch { return 'caught'; } finally { finals++; }
      return 'not reached';
    }`);
    expect([await servlet.text('/s'), await servlet.text('/s?finals')]).toEqual(['instead', '1']);
  });

  test('what goes on after its request was answered can not suspend, leave or clear, and hears of it', async () => {
    const servlet = await load(`export const codes = [];
    export default async () => {
      const late = async (name, action) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        try { await action(); } catch (error) { codes.push(name + ' ' + error.code + ' ' + error.message); }
      };
      void late('suspend', () => sendSuspend((url) => url));
      void late('back', () => sendBack('late'));
      void late('finish', () => sendFinish('late'));
      void late('forward', () => sendForward((url) => url));
      void late('clear', () => clearContinuations());
      await sendSuspend((url) => url);
      return 'still there';
    }`);
    const page = await servlet.text('/s');
    const codes = servlet.exports['codes'] as string[];
    await eventually(
      () => codes.length,
      (count) => count === 5,
    );
    for (const code of codes)
      expect(code).toMatch(/SERVLET_NO_PROMPT Cannot .*: the request has been answered already/);
    expect(await servlet.follow(page)).toBe('still there');
  });

  test.each([
    ['sendBack', 'left'],
    ['sendFinish', 'expired'],
  ])('%s() in an embedded function answers, and ends the run', async (leave, again) => {
    const servlet = await load(`export default async () => {
      await sendSuspendDispatch((embed) => html\`\${embed(() => ${leave}('left'))}\`);
      return 'not reached';
    }`);
    const page = await servlet.text('/s');
    expect(await servlet.follow(page)).toBe('left');
    expect(await servlet.follow(page)).toContain(again);
  });

  test('sendForward() in an embedded function leaves its page only', async () => {
    const servlet = await load(`export default async () => {
      const answer = await sendSuspendDispatch((embed) =>
        html\`\${embed(async () => (await sendForward((url) => 'forward ' + url)).query.get('n'))}\`);
      return 'got ' + answer;
    }`);
    const page = await servlet.text('/s');
    const forward = await servlet.follow(page);
    expect(forward).toContain('forward /s;k=');
    expect(await servlet.follow(page)).toContain('expired');
    for (const n of ['1', '2']) expect(await servlet.follow(forward, `?n=${n}`)).toBe(`got ${n}`);
  });

  test('clearContinuations() between the capture and the page expires what is older, not the page', async () => {
    const servlet = await load(`export default async () => {
      await sendSuspend((url) => url);
      await sendSuspend((url) => { clearContinuations(); return url; });
      await sendSuspend((url) => { const kept = url; clearContinuations(); return kept; });
      return 'end';
    }`);
    const first = await servlet.text('/s');
    const second = await servlet.follow(first);
    // The URL was made before the maker ran, and went with the others.
    expect(await servlet.follow(second)).toContain('expired');
    expect(await servlet.follow(first)).toContain('expired');
    expect(servlet.manager.count).toBe(0);
  });

  test.each([
    ['a Response', "new Response(url, { headers: { 'content-type': 'text/plain' } })", /text\/plain/],
    ['a stream', '(async function* () { yield url.slice(0, 3); yield url.slice(3); })()', /text\/html/],
    ['a reply with a stream', '{ status: 201, body: (async function* () { yield url; })() }', /text\/html/],
    ['bytes', 'new TextEncoder().encode(url)', /octet-stream/],
    ['an X-expression', "['a', { href: url }, 'on']", /text\/html/],
  ])('a page may be %s', async (_what, page, type) => {
    const servlet = await load(
      `export default async () => { await sendSuspend((url) => (${page})); return 'went on'; }`,
    );
    const reply = await servlet.get('/s');
    expect(reply.headerLines).toMatch(type);
    expect(reply.headerLines).toContain('Referrer-Policy: same-origin\r\nCache-Control: no-store\r\n');
    expect(await servlet.follow(await bodyOf(reply))).toBe('went on');
  });

  test('a page may embed functions while it streams', async () => {
    const servlet = await load(`export default async () => {
      const n = await sendSuspendDispatch((embed) => ({ body: (async function* () {
        for (let i = 0; i < 3; i++) { await null; yield html\`\${embed(() => i)} \`; }
      })() }));
      return 'n ' + n;
    }`);
    const text = await servlet.text('/s');
    for (const index of [2, 0, 1]) expect(await servlet.follow(text, '', index)).toBe(`n ${index}`);
  });

  test('redirectGet() in a loop is a redirection at each visit, and a page of it the same every time', async () => {
    const servlet = await load(
      `export default async () => { for (let i = 0; ; i++) await redirectGet({ 'X-Turn': i }); }`,
    );
    let location = '/s';
    for (let turn = 0; turn < 30; turn++) {
      const { status, headerLines } = await servlet.get(location);
      expect([status, /X-Turn: (\d+)/.exec(headerLines)![1]]).toEqual([303, String(turn)]);
      location = /Location: (\S+)/.exec(headerLines)![1]!;
    }
    expect(servlet.manager.count).toBe(30);
    for (let times = 0; times < 2; times++) expect((await servlet.get(location)).headerLines).toContain('X-Turn: 30');
  });

  test('10,000 functions on one page are found each', async () => {
    const servlet = await load(`export default async () => {
      const n = await sendSuspendDispatch((embed) => html\`\${Array.from({ length: 10_000 }, (_, i) => html\`\${embed(() => i)} \`)}\`);
      return 'n ' + n;
    }`);
    const urls = (await servlet.text('/s')).trim().split(' ');
    expect(urls).toHaveLength(10_000);
    for (const n of [0, 9999, 5000, 0]) expect(await servlet.text(urls[n]!)).toBe(`n ${n}`);
  });

  test('an expiration handler that fails is an error of its own request only', async () => {
    const servlet = await load(`export default () => onExpired(() => { throw new Error('no answer'); }, async () => {
      await sendSuspend((url) => url);
      return sendFinish('done');
    });`);
    const page = await servlet.text('/s');
    expect(await servlet.follow(page)).toBe('done');
    for (let times = 0; times < 2; times++) await expect(servlet.follow(page)).rejects.toThrow('no answer');
    expect(await servlet.text('/s')).toContain(';k=');
  });

  test('adjustTimeout() takes a time above 0 and nothing else', async () => {
    const servlet =
      await load(`export const manager = createTimeoutManager({ instanceTimeoutMs: 1, continuationTimeoutMs: 60_000 });
    export default async () => {
      const refused = [];
      for (const ms of [NaN, 0, -1, '5', undefined])
        try { adjustTimeout(ms); } catch (error) { refused.push(error.name); }
      adjustTimeout(60_000);
      const reply = await sendSuspend((url) => url);
      return [...refused, reply.query.get('n')].join();
    }`);
    const page = await servlet.text('/s');
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const n of ['1', '2']) expect(await servlet.follow(page, `?n=${n}`)).toBe(`${'RangeError,'.repeat(5)}${n}`);
  });

  test('a servlet that has a fetch function may suspend, and is answered by a ServletRequest', async () => {
    const servlet = await load(`export default { greeting: 'got ', async fetch(request) {
      const reply = await sendSuspend((url) => new Response(url + ' ' + request.method));
      return new Response(this.greeting + reply.query.get('n') + ' ' + (await reply.toRequest().method));
    } };`);
    const page = await servlet.text('/s');
    expect(page).toMatch(/;k=\S+ GET$/);
    for (const n of ['1', '2']) expect(await servlet.follow(page, `?n=${n}`)).toBe(`got ${n} GET`);
  });
});

describe('webParameter()', () => {
  test('a binding belongs to its stretch of calls: nested, after a resumption, in embedded functions, when the stretch fails', async () => {
    const servlet = await load(`
      const p = webParameter('none');
      const show = async (label) => { const r = await sendSuspend((url) => html\`\${label} \${p()} \${url}\`); return r.query.get('n') + p(); };
      export default async () => {
        const seen = [];
        const inner = await p.run('outer', async () => {
          const a = await show('a');
          const b = await p.run('inner', () => show('b'));
          const c = await sendSuspendDispatch((embed) => html\`c \${p()} \${embed((r) => r.query.get('n') + p())}\`);
          return [a, b, c, p()].join();
        });
        try { await p.run('failing', async () => { await show('d'); throw new Error(p()); }); }
        catch (error) { return html\`\${inner} \${error.message} \${p()}\`; }
      };`);
    const a = await servlet.text('/s');
    expect(a).toMatch(/^a outer /);
    for (const n of ['1', '2']) {
      const b = await servlet.follow(a, `?n=${n}`);
      expect(b).toMatch(/^b inner /);
      const c = await servlet.follow(b, '?n=3');
      expect(c).toMatch(/^c outer /);
      const d = await servlet.follow(c, '?n=4');
      expect(d).toMatch(/^d failing /);
      expect(await servlet.follow(d)).toBe(`${n}outer,3inner,4outer,outer failing none`);
    }
  });
});

describe('withErrorsToBrowser()', () => {
  test('it shows errors of thunk and of its page makers, escaped; leaving is no error; the inner guard goes first', async () => {
    const servlet = await load(`export default (request) => withErrorsToBrowser(sendBack, async () => {
      const kind = request.query.get('kind');
      if (kind === 'maker') await sendSuspend(() => { throw new Error('<maker>'); });
      if (kind === 'leave') await sendFinish('left');
      if (kind === 'thrown') throw { toString() { throw new Error('never'); } };
      const inner = await withErrorsToBrowser((page) => 'inner caught', async () => {
        await sendSuspend((url) => url);
        throw new Error('inside');
      });
      if (inner !== undefined) throw new Error('after ' + inner);
    });`);
    expect(await servlet.text('/s?kind=maker')).toContain('<pre>&lt;maker&gt;</pre>');
    expect(await servlet.text('/s?kind=leave')).toBe('left');
    expect((await servlet.get('/s?kind=thrown')).status).toBe(500);
    const page = await servlet.text('/s?kind=inner');
    for (let times = 0; times < 2; times++) {
      const shown = await servlet.get(new URL(/\S*;k=[\w.-]+/.exec(page)![0], 'http://h').pathname);
      expect([shown.status, (shown.body as string).includes('after inner caught')]).toEqual([500, true]);
    }
  });
});
