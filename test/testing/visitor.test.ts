import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Tab, type TestHost, testHost, testServlet, VisitError } from '../../packages/host/src/testing/index.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';

const EXAMPLE = new URL('../../examples/sum2.ts', import.meta.url);

/** Shows what came, and the page that stands in `?page=`. */
const SERVLETS = {
  page: `
    import { raw } from '@custodian/worker';
    export default ({ query }) => raw(query.get('html'));`,
  show: `
    import { html } from '@custodian/worker';
    export default async (request) => {
      const shown = [];
      for (const [name, value] of request.bindings)
        shown.push(typeof value === 'string' ? [name, value] : [name, value.filename, value.size]);
      const type = (request.header('content-type') ?? '').split(';')[0];
      return html\`<title>Shown</title><pre>\${JSON.stringify([request.method, request.path, type, shown])}</pre>\`;
    };`,
  moves: `
    import { redirectTo } from '@custodian/worker';
    export default ({ query }) => redirectTo(query.get('to'), Number(query.get('status')));`,
  loops: `
    import { redirectTo } from '@custodian/worker';
    export default () => redirectTo('/loops');`,
  counts: `
    let count = 0;
    export default ({ query }) => {
      count++;
      return { headers: query.has('kept') ? {} : { 'Cache-Control': 'no-store' }, body: '<p>' + count + '</p><form><input name=kept aria-label=Kept></form>' };
    };`,
  cookies: `
    export default (request) => {
      const set = request.query.getAll('set');
      return { headers: { 'Set-Cookie': set }, body: '<pre>' + (request.header('cookie') ?? 'none') + '</pre>' };
    };`,
};

let directory: ServletDirectory;
let host: TestHost;

beforeAll(async () => {
  directory = new ServletDirectory(SERVLETS);
  host = await testHost({
    limits: { wallMs: 60_000 },
    servlets: Object.keys(SERVLETS).map((name) => ({
      file: directory.file(name),
      cell: 'one',
      spareThreads: 0,
      limits: { threadsMaxCount: 1 },
    })),
  });
});

afterAll(async () => {
  await host.close();
  directory[Symbol.dispose]();
});

/** A tab at a page of one's own. */
function at(html: string): Promise<Tab> {
  return host.browse(`/page?html=${encodeURIComponent(html)}`);
}

function shownIn(tab: Tab): unknown {
  return JSON.parse(tab.query('pre')?.text ?? 'null');
}

describe('testServlet()', () => {
  it('testServlet() serves a flow whose pages can be gone back to, doubled and answered again', async () => {
    await using own = await testServlet(EXAMPLE, { limits: { wallMs: 60_000 } });
    const tab = await own.browse('/sum2');
    await tab.fill(/first/i, 1).submit();
    const second = tab.duplicate();
    await tab.fill(/second/i, 2).submit();
    expect(tab.text).toContain('3');
    await second.fill(/second/i, 10).submit();
    expect(second.text).toContain('11');
    await tab.back();
    await tab.back();
    await tab.fill(/first/i, 100).submit();
    await tab.fill(/second/i, 1).submit();
    expect(tab.text).toContain('101');
  });
});

describe('testServlet(), its options', () => {
  it('testServlet() takes those of the servlet and those of the host', async () => {
    using directory = new ServletDirectory({ shop: `export default (request) => 'at ' + request.path;` });
    await using own = await testServlet(directory.file('shop'), {
      regexp: '^/shop',
      unit: 'servlet',
      connectionClose: true,
    });
    const tab = await own.browse('/shopping');
    expect([tab.text, own.servlets[0]?.unit]).toEqual(['at /shopping', 'servlet']);
    await expect(testServlet(directory.file('shop'), { unti: 'servlet' } as object)).rejects.toThrow(
      'did you mean "unit"?',
    );
  });
});

describe('Tab', () => {
  it('Tab shows status, title, text and elements of a page', async () => {
    const tab = await at(
      '<title> A  title </title><script>no()</script><p class=a>One<p class=a>two <b>three</b><noscript>four</noscript>',
    );
    expect([tab.status, tab.title, tab.text]).toEqual([200, 'A title', 'One two three four']);
    expect(tab.queryAll('p.a').map(({ text }) => text)).toEqual(['One', 'two three four']);
    expect(tab.query('b')?.tag).toBe('b');
    expect(tab.query('i')).toBeNull();
  });

  it('Tab shows what is no markup as the text that it is', async () => {
    using directory = new ServletDirectory({
      data: `import { json } from '@custodian/worker'; export default () => json({ a: '<b>1  2</b>' });`,
    });
    await using own = await testServlet(directory.file('data'));
    const tab = await own.browse('/data');
    expect(tab.text).toBe('{"a":"<b>1  2</b>"}');
    expect(tab.query('b')).toBeNull();
    expect(tab.query('pre')?.text).toBe('{"a":"<b>1 2</b>"}');
  });

  it('Tab.click() follows a link by its text, relative to the base of the page', async () => {
    const tab = await at(
      '<base href="/deep/"><a href="../show?a=1#x">Go <b>there</b></a><a href="/show?b=1" aria-label="Other"><img alt="Picture"></a>',
    );
    await tab.click('Go there');
    expect(shownIn(tab)).toEqual(['GET', '/show', '', [['a', '1']]]);
    await tab.back();
    await tab.click('Other');
    expect(shownIn(tab)).toEqual(['GET', '/show', '', [['b', '1']]]);
  });

  it('Tab.submit() sends what a browser would', async () => {
    const tab = await at(`
      <form action="/show?gone=1" method="get">
        <label>Name: <input name="name" value="old"></label>
        <label for="t">Text</label><textarea id="t" name="text">\n a</textarea>
        <input type="hidden" name="secret" value="s"><input name="off" value="x" disabled>
        <label><input type="checkbox" name="check" value="yes"> Agree</label><label><input type="checkbox" name="on" checked> On</label>
        <label><input type="radio" name="r" value="1" checked> One</label><label><input type="radio" name="r" value="2"> Two</label>
        <label>Color <select name="color"><option>red<option value="b">blue<option disabled>none</select></label>
        <select name="many" multiple aria-label="Many"><option>x<option selected>y<option>z</select>
        <fieldset disabled><legend><input name="legend" value="l"></legend><input name="inner" value="x"></fieldset>
        <button name="go" value="first">Send</button><input type="submit" name="go" value="Second">
      </form><input name="outside" form="none" value="x">`);
    tab.fill('Name', 'Ada & é').fill('Text', 'a\nb').check('Agree').uncheck('On').choose('Two');
    tab.select('Color', 'blue').select('Many', 'x', 'z');
    await tab.submit('Second');
    expect(shownIn(tab)).toEqual([
      'GET',
      '/show',
      '',
      [
        ['name', 'Ada & é'],
        ['text', 'a\r\nb'],
        ['secret', 's'],
        ['check', 'yes'],
        ['r', '2'],
        ['color', 'b'],
        ['many', 'x'],
        ['many', 'z'],
        ['legend', 'l'],
        ['go', 'Second'],
      ],
    ]);
    await tab.back();
    await tab.submit();
    expect((shownIn(tab) as unknown[][])[3]).toContainEqual(['go', 'first']);
  });

  it('Tab.submit() posts urlencoded and multipart forms, files among them, and obeys the button', async () => {
    const tab = await at(`
      <form method="post" action="/show"><input name="a" value="1">
        <input type="file" name="f" aria-label="File" multiple><button>Plain</button>
        <button formenctype="multipart/form-data">Files</button><button formmethod="get" formaction="/show?x">Get</button></form>`);
    await tab.submit('Plain');
    expect(shownIn(tab)).toEqual([
      'POST',
      '/show',
      'application/x-www-form-urlencoded',
      [
        ['a', '1'],
        ['f', ''],
      ],
    ]);
    await tab.back();
    await tab.attach('File', new File(['abc'], 'a.txt'), new File([], 'b.txt')).submit('Files');
    expect(shownIn(tab)).toEqual([
      'POST',
      '/show',
      'multipart/form-data',
      [
        ['a', '1'],
        ['f', 'a.txt', 3],
        ['f', 'b.txt', 0],
      ],
    ]);
    await tab.reload();
    expect((shownIn(tab) as unknown[])[0]).toBe('POST');
    await tab.back();
    await tab.click('Get');
    expect((shownIn(tab) as unknown[])[0]).toBe('GET');
  });

  it.each([
    [301, 'GET'],
    [302, 'GET'],
    [303, 'GET'],
    [307, 'POST'],
    [308, 'POST'],
  ])('Tab follows a redirection with %d after POST by %s', async (status, method) => {
    const tab = await at(
      `<form method="post" action="/moves?status=${status}&to=show?q=1"><input name="a" value="1"><button>Go</button></form>`,
    );
    await tab.submit();
    expect(new URL(tab.url).pathname).toBe('/show');
    expect((shownIn(tab) as unknown[])[0]).toBe(method);
  });

  it('Tab does not leave its host, nor follow redirections for ever', async () => {
    const tab = await at(
      '<a href="http://elsewhere.example/">Away</a><a href="/moves?status=302&to=/moves?status=302%26to=/nowhere">On</a>',
    );
    await expect(tab.click('Away')).rejects.toThrow(VisitError);
    await tab.click('On');
    expect(tab.status).toBe(404);
    await expect(tab.goto('/loops')).rejects.toThrow(/it redirects for ever$/);
  });

  it('Tab.back() shows a page as it was left, and asks again for one that may not be kept', async () => {
    const tab = await host.browse('/counts?kept=1');
    const first = tab.query('p')?.text;
    tab.fill('Kept', 'typed');
    await tab.goto('/show');
    await tab.back();
    expect([tab.query('p')?.text, tab.page.controls[0]?.value]).toEqual([first, 'typed']);
    await tab.forward();
    expect(tab.title).toBe('Shown');
    await expect(tab.forward()).rejects.toThrow('Cannot go forward: there is no page');
    await tab.goto('/counts');
    const before = Number(tab.query('p')?.text);
    await tab.goto('/show');
    await tab.back();
    expect(Number(tab.query('p')?.text)).toBe(before + 1);
    await tab.reload();
    expect(Number(tab.query('p')?.text)).toBe(before + 2);
  });

  it('Tab keeps cookies as browsers do, and shares them with its duplicate', async () => {
    const tab = await host.browse(
      '/cookies?set=a%3D1%3B%20Path%3D/&set=b%3D2%3B%20Path%3D/other&set=c%3D3%3B%20Max-Age%3D0&set=d%3D4%3B%20Domain%3Delsewhere.example',
    );
    expect(tab.query('pre')?.text).toBe('none');
    const twin = tab.duplicate();
    await twin.goto('/cookies');
    expect(twin.query('pre')?.text).toBe('a=1');
    expect(tab.cookies.get('a')).toBe('1');
    await twin.goto('/cookies?set=a%3Dx%3B%20Path%3D/%3B%20Max-Age%3D0');
    await tab.goto('/cookies');
    expect(tab.query('pre')?.text).toBe('none');
  });

  it('Tab says what is there when what is asked for is not', async () => {
    const tab = await at(
      '<form><label>One <input name="x"></label><label>Two <input name="y" readonly></label><input type="checkbox" name="z" disabled aria-label="Off"><button>Send</button></form><a href="/">Home</a><a href="/b">Home</a>',
    );
    expect(() => tab.fill('Three', 1)).toThrow(/^Cannot fill "Three": .* has "One", "Two"$/);
    expect(() => tab.fill('Two', 1)).toThrow('Cannot fill "Two": it is read only');
    expect(() => tab.check('Off')).toThrow('Cannot check "Off": it is disabled');
    await expect(tab.click('Away')).rejects.toThrow(/has "Home", "Home", "Send"$/);
    await expect(tab.click('Home')).rejects.toThrow('Cannot click "Home": 2 links and buttons are called so');
    await expect((await at('<p>')).submit()).rejects.toThrow(
      'Cannot submit: the page has 0 forms, and none was filled in',
    );
  });
});
