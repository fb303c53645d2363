import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ConfigError, type Dispatcher, dispatchers, serve } from '../../packages/host/src/index.ts';
import { listOne } from '../../packages/host/src/servlet-list.ts';
import { eventually } from '../support/eventually.ts';
import { FileTree } from '../support/file-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { StartedHost } from '../support/started-host.ts';

const SAYS = (word: string): string => `export default (request) => '${word} ' + request.url;`;
const textOf = async (url: string): Promise<string> => (await fetch(url)).text();

describe('two servlets of one name', () => {
  it.each([
    ['one at the root, whose file is called as the other is mounted', { mount: '/' }, { mount: 'app' }],
    ['both by regexps', { regexp: '^/a' }, { regexp: '^/b' }],
    ['in one cell', { mount: '/', cell: 'group' }, { regexp: '^/b', cell: 'group' }],
  ])('are refused, since keys, file boxes and pages go by it: %s', async (_name, first, second) => {
    using one = new FileTree({ 'app.mjs': SAYS('one') });
    using two = new FileTree({ 'app.mjs': SAYS('two') });
    const servlets = [
      { file: join(one.path, 'app.mjs'), ...first },
      { file: join(two.path, 'app.mjs'), ...second },
    ];
    await expect(serve({ servlets })).rejects.toMatchObject({
      code: 'CUSTODIAN_CONFIG',
      message: expect.stringContaining('has that name'),
    });
    await using host = await serve({ servlets: [servlets[0]!, { ...servlets[1]!, mount: 'other' }] });
    expect(host.servlets.map(({ name }) => name)).toEqual(['app', 'other']);
  });
});

describe('names of servlets', () => {
  it.each(['bell\u0007', 'a\nb', 'a/../b', '..', '/./', 'a//b', '\ud800', 'a\u202eb', 'a\u2028'])(
    'are refused where no path leads to them, or they are not what they look like: %j',
    async (name) => {
      using tree = new FileTree({ 'app.mjs': SAYS('app') });
      const file = join(tree.path, 'app.mjs');
      for (const options of [
        { servlets: [{ file, mount: name, regexp: '' }] },
        { servlets: file, servletPath: name },
        { servletsRoot: { root: tree.path, name } },
      ])
        await expect(serve(options)).rejects.toMatchObject({
          code: 'CUSTODIAN_CONFIG',
          message: expect.stringMatching(/^[ -~]+give it another "(mount|servletPath|name)"$/),
        });
    },
  );

  it('are in the form NFC, so that no two look the same', async () => {
    using tree = new FileTree({ 'cafe\u0301.mjs': SAYS('cafe'), 'app.mjs': SAYS('app') });
    const file = join(tree.path, 'cafe\u0301.mjs');
    await expect(serve({ servlets: [file, { file: join(tree.path, 'app.mjs'), mount: 'caf\u00e9' }] })).rejects.toThrow(
      'has that name',
    );
    await using host = await serve({ servlets: file });
    expect(host.servlets[0]?.name).toBe('caf\u00e9');
    expect(await textOf(`${host.url}/caf%C3%A9`)).toBe('cafe /caf%C3%A9');
    expect((await fetch(`${host.url}/cafe%CC%81`)).status).toBe(404);
  });
});

describe('a servlet whose mount is taken', () => {
  it('is refused whole: it can be added elsewhere, and runs nowhere before', async () => {
    using tree = new FileTree({ 'index.mjs': SAYS('index'), 'other.mjs': SAYS('other') });
    const file = join(tree.path, 'other.mjs');
    const adder: Dispatcher = (pass, site) => {
      const taken = listOne({ file, mount: '/', isEager: true }, site);
      expect(() => site.servlets.add(taken)).toThrow(ConfigError);
      expect([site.servlets.pools.length, site.servlets.eager, [...site.servlets.profiles]]).toEqual([
        1,
        [],
        ['trusted'],
      ]);
      site.servlets.add(listOne({ file }, site));
      return pass;
    };
    await using host = await serve({
      servlets: [{ file: join(tree.path, 'index.mjs'), profile: 'trusted' }],
      dispatchers: [adder, dispatchers.servlets()],
    });
    expect(await textOf(host.url)).toBe('index /');
    expect(await textOf(`${host.url}/other`)).toBe('other /other');
  });
});

describe('the chain that options make', () => {
  it('servlets go before servlets from files, those before files, and those in their order before htdocs', async () => {
    using servlets = new ServletDirectory({ a: SAYS('servlet') });
    using root = new FileTree({ 'a.mjs': SAYS('from a file'), 'b.mjs': SAYS('from a file') });
    using one = new FileTree({ a: 'one', 'b.mjs': 'one', c: 'one' });
    using two = new FileTree({ c: 'two', d: 'two' });
    using server = new FileTree({
      'htdocs/d': 'htdocs',
      'htdocs/e.odd': 'htdocs',
      'conf/not-found.html': '<p>lost',
      'mime.types': 'text/x-odd odd',
    });
    await using host = await serve({
      servlets: servlets.path,
      servletsRoot: root.path,
      extraFilesPaths: [one.path, two.path],
      serverRootPath: server.path,
    });
    expect(await textOf(`${host.url}/a`)).toBe('servlet /a');
    expect(await textOf(`${host.url}/b.mjs`)).toBe('from a file /b.mjs');
    expect(await textOf(`${host.url}/c`)).toBe('one');
    expect(await textOf(`${host.url}/d`)).toBe('two');
    const odd = await fetch(`${host.url}/e.odd`);
    expect([odd.headers.get('content-type'), await odd.text()]).toEqual(['text/x-odd; charset=utf-8', 'htdocs']);
    const lost = await fetch(`${host.url}/f`);
    expect([lost.status, lost.headers.get('content-type'), await lost.text()]).toEqual([
      404,
      'text/html; charset=utf-8',
      '<p>lost',
    ]);
    server.write('conf/not-found.html', '<p>gone');
    expect(await textOf(`${host.url}/f`)).toBe('<p>gone');
    expect(host.ledger.refusals.get('REQUEST_NOT_FOUND')).toBe(2);
  });

  it('a list of dispatchers takes the place of what the other options would make', async () => {
    using servlets = new ServletDirectory({ a: SAYS('servlet') });
    const { path, respond, servlets: theServlets } = dispatchers;
    await using host = await serve({
      servlets: servlets.path,
      dispatchers: [
        path(
          '/a',
          respond(() => 'first'),
        ),
        theServlets(),
      ],
    });
    expect(await textOf(`${host.url}/a`)).toBe('first');
    expect(await textOf(`${host.url}/a/b`)).toBe('servlet /a/b');
    expect((await fetch(`${host.url}/c`)).status).toBe(404);
    for (const other of [{ quit: true }, { extraFilesPaths: ['.'] }, { passwords: [] }])
      await expect(serve({ dispatchers: [], ...other })).rejects.toThrow('beside "dispatchers"');
  });

  it('what a directory of files leaves undefined hides nothing that the host says', async () => {
    using tree = new FileTree({ 'e.odd': 'odd', 'mime.types': 'text/x-odd odd' });
    await using host = await serve({
      mimeTypesPath: join(tree.path, 'mime.types'),
      extraFilesPaths: [{ root: tree.path, mimeTypesPath: undefined } as never],
    });
    expect((await fetch(`${host.url}/e.odd`)).headers.get('content-type')).toBe('text/x-odd; charset=utf-8');
  });

  it('serve() names the key that is wrong, and the nearest that there is', async () => {
    await expect(serve({ prot: 80 } as never)).rejects.toThrow('unknown key "prot" (did you mean "port"?)');
    await expect(serve({ prot: 80 } as never)).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('servletPath and servletRegexp', () => {
  it('servletPath mounts the only servlet', async () => {
    using servlets = new ServletDirectory({ app: SAYS('app') });
    await using host = await serve({ servlets: servlets.file('app'), servletPath: '/servlets/main' });
    expect(await textOf(`${host.url}/servlets/main/x`)).toBe('app /servlets/main/x');
    expect(host.servlets[0]?.url).toBe(`${host.url}/servlets/main`);
    expect((await fetch(`${host.url}/app`)).status).toBe(404);
  });

  it('servletRegexp is looked for in the decoded path, without parameters and query', async () => {
    using servlets = new ServletDirectory({ app: SAYS('app') });
    await using host = await serve({ servlets: servlets.file('app'), servletRegexp: /^\/a b$/ });
    expect(await textOf(`${host.url}/a%20b;k=1?x`)).toBe('app /a%20b;k=1?x');
    expect((await fetch(`${host.url}/a%20b/c`)).status).toBe(404);
  });

  it('regexps of several servlets are tried in order, after mounts', async () => {
    using servlets = new ServletDirectory({ a: SAYS('a'), b: SAYS('b'), c: SAYS('c') });
    await using host = await serve({
      servlets: [
        { file: servlets.file('a'), regexp: '^/x' },
        { file: servlets.file('b'), regexp: '' },
        { file: servlets.file('c'), mount: 'x/c' },
      ],
    });
    expect(await textOf(`${host.url}/x/1`)).toBe('a /x/1');
    expect(await textOf(`${host.url}/y`)).toBe('b /y');
    expect(await textOf(`${host.url}/x/c`)).toBe('c /x/c');
  });

  it('servletPath is for one servlet', async () => {
    using servlets = new ServletDirectory({ a: SAYS('a'), b: SAYS('b') });
    await expect(serve({ servlets: servlets.path, servletPath: '/main' })).rejects.toThrow('for one servlet');
    await expect(serve({ servlets: servlets.file('a'), servletRegexp: '(' })).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('responders', () => {
  it('servletResponder and servletLoadingResponder answer where a servlet has no answer', async () => {
    const seen: string[] = [];
    await using started = await StartedHost.start(
      {
        throws: `export default () => { throw new Error('no luck'); };`,
        exits: `export default () => process.exit(1);`,
        broken: `throw new Error('not today');`,
        plain: `export default () => 'plain';`,
      },
      {
        servletResponder: (exchange, page) => {
          seen.push(`${exchange.url} ${page.code} ${page.detail?.includes('no luck') === true}`);
          return { status: 500, body: '<p>sorry' };
        },
        servletLoadingResponder: (_exchange, page) => `<p>loading: ${page.code}`,
        fileNotFoundResponder: async (exchange) => ({ status: 404, body: `<p>nothing at ${exchange.url}` }),
      },
    );
    const get = async (path: string): Promise<[number, string]> => {
      const response = await fetch(started.url + path);
      return [response.status, await response.text()];
    };
    expect(await get('/throws')).toEqual([500, '<p>sorry']);
    expect(await get('/exits')).toEqual([500, '<p>sorry']);
    expect(await get('/broken')).toEqual([200, '<p>loading: SERVLET_LOAD']);
    expect(await get('/plain')).toEqual([200, 'plain']);
    expect(await get('/else')).toEqual([404, '<p>nothing at /else']);
    expect(seen).toEqual(['/throws SERVLET_ERROR true', '/exits SERVLET_CRASH false']);
  });

  it('a responder that fails leaves the host’s own page', async () => {
    await using started = await StartedHost.start(
      { throws: `export default () => { throw new Error('no luck'); };` },
      {
        servletResponder: () => {
          throw new Error('me neither');
        },
        fileNotFoundResponder: () => Promise.reject(new Error('nor me')),
      },
    );
    expect(await textOf(`${started.url}/throws`)).toContain('SERVLET_ERROR');
    expect(await textOf(`${started.url}/else`)).toContain('CUSTODIAN_DISPATCHER');
  });
});

describe('connectionClose, banner and open', () => {
  it('connectionClose ends every connection after one request', async () => {
    await using started = await StartedHost.start({ a: SAYS('a') }, { connectionClose: true });
    const client = await started.connect();
    client.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n');
    const response = await client.response();
    expect(response.headers.get('connection')).toEqual(['close']);
    expect((await client.rest()).length).toBe(0);
  });

  it('commandLine: false says where it runs, opens the browser there, and ends at /quit', async () => {
    using servlets = new ServletDirectory({ a: SAYS('a') });
    using tools = new FileTree({ 'xdg-open': '#!/bin/sh\necho "$1" > "$0.url"\n' });
    chmodSync(join(tools.path, 'xdg-open'), 0o755);
    const said: string[] = [];
    const spy = vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
    vi.stubEnv('PATH', `${tools.path}:${process.env['PATH']}`);
    try {
      await using host = await serve({ servlets: servlets.file('a'), servletPath: '/main', commandLine: false });
      const opened = join(tools.path, 'xdg-open.url');
      await eventually(
        () => (existsSync(opened) ? readFileSync(opened, 'utf8') : ''),
        (url) => url === `${host.url}/main\n`,
      );
      await fetch(`${host.url}/quit`);
      await host.closed;
      await eventually(
        () => said.length,
        (count) => count === 3,
      );
      expect(said).toEqual([
        expect.stringMatching(/^Your Web application is running at http:\/\/127\.0\.0\.1:\d+\/main\.$/),
        'Stop this program at any time to terminate the Web Server.',
        'Web Server stopped.',
      ]);
    } finally {
      spy.mockRestore();
      vi.unstubAllEnvs();
    }
  });
});
