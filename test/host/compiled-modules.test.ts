import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LeaseOrder } from '@custodian/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CompiledModules, type CompileOrder } from '../../packages/host/src/cell/compiled-modules.ts';
import { ModuleSources } from '../../packages/host/src/cell/module-sources.ts';
import { eventually } from '../support/eventually.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';

const COMPILER = new URL('../../packages/worker/src/continuation/compile/compile.ts', import.meta.url).href;

describe('CompiledModules', () => {
  let cacheDir: string;
  let directory: ServletDirectory;
  beforeEach(() => {
    cacheDir = mkdtempSync(join(tmpdir(), 'custodian-cache-'));
    directory = new ServletDirectory({
      'main.ts': `import { ask } from './ask.ts';\nimport { hello } from './lib/hello.ts';\nexport default async () => hello(await ask());`,
      'ask.ts': `import { sendSuspend } from '@custodian/worker';\nexport const ask = () => sendSuspend((url: string) => url);`,
      'plain.ts': `import { html } from '@custodian/worker';\nexport default () => html\`plain\`;`,
    });
    directory.write('plain-too.mjs', 'export default () => 1;');
  });
  afterEach(() => {
    directory[Symbol.dispose]();
    rmSync(cacheDir, { recursive: true });
  });

  const open = (): CompiledModules => new CompiledModules(cacheDir, new ModuleSources(cacheDir, {}), COMPILER, {});
  const urlOf = (name: string): string => pathToFileURL(join(directory.path, name)).href;
  const orderFor = (
    modules: CompiledModules,
    file: string,
    servletName = file,
    compiledPackages: readonly string[] = [],
  ): CompileOrder | null =>
    modules.orderFor({ servletUrl: urlOf(file), servletName, compiledPackages } as unknown as LeaseOrder);
  const kept = (): number => readdirSync(join(cacheDir, 'compiled')).length;
  const textsOf = (url: string): { text: string; stripped: string } => {
    const text = readFileSync(new URL(url), 'utf8');
    return { text, stripped: url.endsWith('.ts') ? stripTypeScriptTypes(text) : text };
  };
  /** What a thread does, which has read each file now, unless its offer says otherwise. */
  async function offer(order: CompileOrder, offers: readonly object[], expected: number): Promise<void> {
    for (const each of offers)
      order.port!.postMessage('url' in each ? { ...textsOf(String(each.url)), ...each } : each);
    await eventually(kept, (count) => count === expected);
    order.port!.close();
  }

  test('a servlet none of whose modules asks for continuations is not compiled', () => {
    expect(orderFor(open(), 'plain.ts')).toBeNull();
    expect(orderFor(open(), 'plain-too.mjs')).toBeNull();
  });

  test('a module that Node knows by another URL than its import says is compiled by each thread', async () => {
    directory.write('linking.ts', `import { ask } from './link.ts';\nexport default () => ask();`);
    symlinkSync(join(directory.path, 'ask.ts'), join(directory.path, 'link.ts'));
    const compiled = ['linking.ts', 'link.ts'].map((name) => ({ url: urlOf(name), code: name, warnings: [] }));
    await offer(orderFor(open(), 'linking.ts')!, compiled, 2);
    const { code, port } = orderFor(open(), 'linking.ts')!;
    expect(code).toEqual({ [urlOf('linking.ts')]: 'linking.ts' });
    expect(port).not.toBeNull();
    port?.close();
  });

  test('what a thread has compiled is given to the next one, with its warnings once a cell', async () => {
    const order = orderFor(open(), 'main.ts')!;
    expect([order.code, order.port === null, order.root]).toEqual([
      {},
      false,
      `${pathToFileURL(directory.path).href}/`,
    ]);
    const compiled = ['main.ts', 'ask.ts'].map((name) => ({
      url: urlOf(name),
      code: `// ${name}`,
      warnings: ['mind'],
    }));
    await offer(order, compiled, 2);
    const later = open();
    const again = orderFor(later, 'main.ts')!;
    expect(again.port).toBeNull();
    expect(again.code).toEqual({ [urlOf('main.ts')]: '// main.ts', [urlOf('ask.ts')]: '// ask.ts' });
    expect([again.warnings, orderFor(later, 'main.ts')!.warnings]).toEqual([['mind', 'mind'], []]);
  });

  test('an offer is for the servlet that was asked, for a module that was missing, and once', async () => {
    const order = orderFor(open(), 'main.ts', 'evil')!;
    const offers = [
      {},
      { url: urlOf('plain.ts'), code: 'evil', warnings: [] },
      { url: urlOf('ask.ts'), code: 17, warnings: [] },
      { url: urlOf('ask.ts'), code: '// first', warnings: [1, 'text'] },
      { url: urlOf('ask.ts'), code: '// second', warnings: [] },
    ];
    order.port!.postMessage(null);
    await offer(order, offers, 1);
    expect(orderFor(open(), 'main.ts', 'evil')!).toMatchObject({
      code: { [urlOf('ask.ts')]: '// first' },
      warnings: ['text'],
    });
    expect(orderFor(open(), 'main.ts', 'good')!.code).toEqual({});
  });

  test('modules of a package that is compiled too are kept, those of another are none of its business', async () => {
    directory.write('node_modules/forms/index.js', 'export const each = async (f) => await f();');
    directory.write('node_modules/forms/node_modules/inner/index.js', 'export const x = 1;');
    directory.write('node_modules/other/index.js', 'export const x = 1;');
    const packages = [`${pathToFileURL(join(directory.path, 'node_modules/forms')).href}/`];
    const url = `${packages[0]}index.js`;
    const order = orderFor(open(), 'main.ts', 'main.ts', packages)!;
    const offers = [
      { url, code: '// forms', warnings: [] },
      { url: `${packages[0]}node_modules/inner/index.js`, code: 'evil', warnings: [] },
      { url: url.replace('forms', 'other'), code: 'evil', warnings: [] },
    ];
    await offer(order, offers, 1);
    expect(orderFor(open(), 'main.ts', 'main.ts', packages)).toMatchObject({
      compiledPackages: packages,
      code: { [url]: '// forms' },
    });
    expect(orderFor(open(), 'main.ts')!.code).toEqual({});
  });

  test('a module that was edited is compiled anew', async () => {
    await offer(orderFor(open(), 'main.ts')!, [{ url: urlOf('ask.ts'), code: '// old', warnings: [] }], 1);
    directory.write(
      'ask.ts',
      `import { sendSuspend } from '@custodian/worker';\nexport const ask = () => sendSuspend((u: string) => u + 1);`,
    );
    expect(orderFor(open(), 'main.ts')!.code).toEqual({});
  });

  test('what a thread has made of a module that was edited before it read it is not kept as what the module was', async () => {
    const order = orderFor(open(), 'main.ts')!;
    const before = textsOf(urlOf('ask.ts'));
    const [url, warnings] = [urlOf('ask.ts'), [] as string[]];
    const after = { text: `${before.text}// late`, stripped: `${before.stripped}// late` };
    const offers = [
      { url, code: '// of what it is now', warnings, ...after },
      // The supervisor has read it before, the thread's map and messages are of what it is now.
      { url, code: '// half and half', warnings, ...after, stripped: before.stripped },
      { url, code: '// of what nobody says', warnings, text: undefined, stripped: undefined },
      { url, code: '// of what it was', warnings, ...before },
    ];
    await offer(order, offers, 1);
    expect(orderFor(open(), 'main.ts')!.code).toEqual({ [url]: '// of what it was' });
  });

  test('what may be compiled ahead of a thread is kept, for the next one, whether it was imported or not', () => {
    directory.write(
      'mixed.ts',
      `import './ask.ts';\nimport './own.mjs';\nimport './unknown.js';\nimport './link.ts';\n`,
    );
    directory.write('own.mjs', 'export const a = async () => {};');
    // Node may find that it is CommonJS.
    directory.write('unknown.js', 'module.exports = async () => {};');
    symlinkSync(join(directory.path, 'ask.ts'), join(directory.path, 'link.ts'));
    const modules = open();
    const order = orderFor(modules, 'mixed.ts')!;
    const asked = modules.toCompile(order).modules;
    expect(asked.map(({ url }) => url)).toEqual(['mixed.ts', 'ask.ts', 'own.mjs'].map(urlOf));
    expect(asked[1]!.text).toContain('url: string');
    expect(asked[1]!.stripped).toContain('url        ');
    order.ahead = asked
      .slice(1)
      .map(({ url, stripped }) => ({ url, stripped, code: `// ${url}`, warnings: ['careful'] }));
    modules.keepAhead(order);
    order.port!.close();
    // What is edited meanwhile is compiled as what it was, and kept as that.
    const [{ text }] = [asked[0]!];
    directory.write('mixed.ts', `${text}export const other = 1;\n`);
    expect(modules.toCompile(order).modules[0]).toMatchObject({ url: urlOf('mixed.ts'), text });
    directory.write('mixed.ts', text);
    const next = orderFor(open(), 'mixed.ts')!;
    expect(Object.keys(next.code)).toEqual(['ask.ts', 'own.mjs'].map(urlOf));
    expect(next.warnings).toEqual(['careful', 'careful']);
    next.port!.close();
    directory.write('ask.ts', `import { sendSuspend } from '@custodian/worker';\n// ${'x'.repeat(1 << 20)}\n`);
    const long = orderFor(modules, 'mixed.ts')!;
    expect(modules.toCompile(long).modules.map(({ url }) => url)).toEqual([urlOf('mixed.ts')]);
    long.port!.close();
  });

  test('when all was compiled ahead of a thread, there is nothing that it could offer', async () => {
    const modules = open();
    const order = orderFor(modules, 'main.ts')!;
    order.ahead = modules
      .toCompile(order)
      .modules.map(({ url, stripped }) => ({ url, stripped, code: '// ahead', warnings: [] }));
    const closed = once(order.port!, 'close');
    order.port!.unref();
    modules.keepAhead(order);
    await closed;
    expect(orderFor(modules, 'main.ts')!.port).toBeNull();
  });
});
