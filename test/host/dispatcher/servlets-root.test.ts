import { symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, dispatchers, serve } from '../../../packages/host/src/index.ts';
import { FileTree } from '../../support/file-tree.ts';
import { continuationsOf, Visitor } from '../../support/visitor.ts';

const says = (word: string): string => `export default (request) => '${word} ' + request.url;`;
const FLOW = (word: string): string => `
  import { sendSuspend } from '@custodian/worker';
  let visits = 0;
  export default async () => {
    visits++;
    await sendSuspend((url) => '<a href="' + url + '">${word} ' + visits + '</a>');
    return '${word} again ' + visits;
  };`;

describe('servletsRoot()', () => {
  it('servletsRoot() loads a servlet when it is asked for, by its name with or without the ending, and what follows', async () => {
    using tree = new FileTree({
      'one.mjs': says('one'),
      'shop/cart.ts': 'export default (request: { url: string }): string => `cart ${request.url}`;',
      'both.mjs': says('both'),
      'both.js': says('js'),
      'types.d.ts': 'export {};',
      '.hidden.mjs': says('hidden'),
      'node_modules/dep/index.mjs': says('dep'),
      'page.html': 'a file',
      'public/style.css': 'css',
    });
    using outside = new FileTree({ 'out.mjs': says('out') });
    symlinkSync(join(outside.path, 'out.mjs'), join(tree.path, 'out.mjs'));
    await using host = await serve({ servletsRoot: tree.path, extraFilesPaths: [join(tree.path, 'public')] });
    expect(host.servlets).toEqual([]);
    const text = async (path: string): Promise<string> => (await fetch(host.url + path)).text();
    expect(await text('/one.mjs')).toBe('one /one.mjs');
    expect(await text('/one.mjs/extra/path?x=1')).toBe('one /one.mjs/extra/path?x=1');
    expect(await text('/one/extra')).toBe('one /one/extra');
    expect(await text('/shop/cart')).toBe('cart /shop/cart');
    expect(await text('/shop/cart.ts/')).toBe('cart /shop/cart.ts/');
    expect(await text('/both')).toMatch(/^js/);
    expect(await text('/style.css')).toBe('css');
    expect(host.servlets.map(({ name, profile, url }) => [name, profile, url])).toEqual([
      ['one.mjs', 'guest', `${host.url}/one.mjs`],
      ['shop/cart.ts', 'guest', `${host.url}/shop/cart.ts`],
      ['both.js', 'guest', `${host.url}/both.js`],
    ]);
    for (const path of [
      '/',
      '/none',
      '/shop/',
      '/page.html',
      '/types.d.ts',
      '/types',
      '/.hidden.mjs',
      '/.hidden',
      '/node_modules/dep/index.mjs',
      '/out.mjs',
      '/out',
    ])
      expect([path, (await fetch(host.url + path)).status]).toEqual([path, 404]);
  });

  it('/conf/refresh-servlets has the next request load the file anew; open pages stay with what they began in', async () => {
    using tree = new FileTree({ 'flow.mjs': FLOW('old') });
    await using host = await serve({ servletsRoot: tree.path });
    const visitor = new Visitor(host.url);
    const before = await visitor.get('/flow.mjs');
    tree.write('flow.mjs', FLOW('new'));
    const [link = ''] = continuationsOf(before);
    expect((await visitor.get(link)).text).toBe('old again 1');
    const refreshed = await visitor.get('/conf/refresh-servlets');
    expect([refreshed.status, refreshed.text]).toEqual([200, 'Servlet cache refreshed\n']);
    expect((await visitor.get('/flow.mjs')).text).toContain('new 1');
    expect((await visitor.get(link)).text).toBe('old again 1');
    unlinkSync(join(tree.path, 'flow.mjs'));
    await visitor.get('/conf/refresh-servlets');
    expect((await visitor.get('/flow.mjs')).status).toBe(404);
    writeFileSync(join(tree.path, 'flow.mjs'), FLOW('newest'));
    expect((await visitor.get('/flow.mjs')).text).toContain('newest 1');
  });

  it('/conf/… is for this machine alone', async () => {
    using tree = new FileTree({ 'one.mjs': says('one') });
    await using host = await serve({ servletsRoot: tree.path });
    const statusFor = async (path: string, headers: Record<string, string> = {}, verb = 'GET'): Promise<number> =>
      (await fetch(host.url + path, { headers, method: verb })).status;
    expect(await statusFor('/conf/refresh-passwords')).toBe(200);
    expect(await statusFor('/conf/collect-garbage')).toBe(200);
    expect(await statusFor('/conf/refresh-servlets', { 'X-Forwarded-For': '203.0.113.5' })).toBe(404);
    expect(await statusFor('/conf/refresh-servlets', { Forwarded: 'for=203.0.113.5' })).toBe(404);
    expect(await statusFor('/conf/refresh-servlets', {}, 'POST')).toBe(404);
    expect(await statusFor('/conf/other')).toBe(404);
  });

  it('servletsRoot() gives servlets of two directories names of their own, and with them keys, boxes and accounts', async () => {
    const boxed = (word: string): string => `
      import { account, fileBox } from '@custodian/worker';
      export default async () => {
        const box = fileBox('box', '');
        const before = await box.get();
        await box.set('${word}');
        return JSON.stringify([before, (await account()).servlet.requests]);
      };`;
    using one = new FileTree({ 'cart.mjs': boxed('of one') });
    using two = new FileTree({ 'cart.mjs': boxed('of two') });
    using state = new FileTree();
    const { path, servletsRoot } = dispatchers;
    const chainOf = (name?: string) => ({
      stateDir: join(state.path, 'state'),
      dispatchers: [
        path('/cart.mjs', servletsRoot({ root: one.path })),
        servletsRoot({ root: two.path, ...(name === undefined ? {} : { name }) }),
      ],
    });
    await expect(serve(chainOf())).rejects.toThrow('they could have the same names');
    await using host = await serve(chainOf('two'));
    const text = async (at: string): Promise<string> => (await fetch(host.url + at)).text();
    expect(await text('/cart.mjs')).toBe('["",0]');
    expect(await text('/cart')).toBe('["",0]');
    expect(host.servlets.map(({ name, url }) => [name, url])).toEqual([
      ['cart.mjs', `${host.url}/cart.mjs`],
      ['two/cart.mjs', `${host.url}/cart.mjs`],
    ]);
  });

  it('servletsRoot() refuses directories whose servlets could have the same names', async () => {
    using outer = new FileTree({ 'one.mjs': says('one'), 'shop/cart.mjs': says('of outer') });
    using inner = new FileTree({ 'cart.mjs': says('of inner') });
    const { servletsRoot } = dispatchers;
    const rootsOf = (names: readonly (string | undefined)[]) => {
      const list = [outer, inner].map(({ path: root }, index) => {
        const name = names[index];
        return servletsRoot(name === undefined ? { root } : { root, name });
      });
      return { dispatchers: list, warmCells: 0 };
    };
    for (const names of [
      ['a', 'a'],
      ['a', 'a/b'],
      ['a/b', '/a/'],
      ['cafe\u0301', 'caf\u00e9'],
      [undefined, 'shop'],
      [undefined, undefined],
    ] as const)
      for (const order of [false, true]) {
        const { dispatchers: list } = rootsOf(names);
        const error: unknown = await serve({ dispatchers: order ? list.toReversed() : list, warmCells: 0 }).then(
          (host) => host.close(),
          (reason: unknown) => reason,
        );
        expect([names, error]).toEqual([names, expect.objectContaining({ code: 'CUSTODIAN_CONFIG' })]);
      }
    for (const names of [
      ['a', 'ab'],
      ['a/b', 'a/c'],
      [undefined, 'other'],
      ['shop', undefined],
    ] as const) {
      await using host = await serve(rootsOf(names));
      expect(await (await fetch(`${host.url}/cart`)).text()).toBe('of inner /cart');
      expect(await (await fetch(`${host.url}/shop/cart`)).text()).toBe('of outer /shop/cart');
    }
  });

  it('servletsRoot() refuses a directory with a servlet that is called as another one is mounted', async () => {
    using tree = new FileTree({ 'shop/cart.mjs': says('cart') });
    const servlets = [{ file: join(tree.path, 'shop/cart.mjs'), mount: 'shop/cart.mjs' }];
    await expect(serve({ servlets, servletsRoot: tree.path })).rejects.toThrow('give it another "mount"');
    await expect(serve({ servlets, servletsRoot: { root: join(tree.path, 'shop'), name: 'shop' } })).rejects.toThrow(
      'give it another "mount"',
    );
    await using host = await serve({ warmCells: 0, servlets, servletsRoot: { root: tree.path, name: 'files' } });
    expect(await (await fetch(`${host.url}/shop/cart`)).text()).toBe('cart /shop/cart');
    expect(host.servlets.map(({ name }) => name)).toEqual(['shop/cart.mjs', 'files/shop/cart.mjs']);
  });

  it('servletsRoot() finds no servlet by a name that is none', async () => {
    using tree = new FileTree({
      'cafe\u0301.mjs': says('nfd'),
      'a\u0007.mjs': says('bell'),
      'caf\u00e9.mjs': says('nfc'),
    });
    await using host = await serve({ servletsRoot: tree.path });
    for (const path of ['/cafe%CC%81', '/cafe%CC%81.mjs', '/a%07', '/a%07.mjs'])
      expect([path, (await fetch(host.url + path)).status]).toEqual([path, 404]);
    expect(await (await fetch(`${host.url}/caf%C3%A9`)).text()).toBe('nfc /caf%C3%A9');
  });

  it('servletsRoot() refuses what is wrong when the host starts', async () => {
    using tree = new FileTree();
    expect(() => dispatchers.servletsRoot({ root: join(tree.path, 'nowhere') })).toThrow(ConfigError);
    expect(() => dispatchers.servletsRoot({ root: tree.path, unit: 'x' as never })).toThrow(
      'unit is "x", not one of "connection", "instance", "servlet"',
    );
  });
});
