import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stripTypeScriptTypes } from 'node:module';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testServlet } from '../../packages/host/src/testing/index.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { Visitor } from '../support/visitor.ts';
import { answersOf, callIn } from './servlet-example.ts';
import { type DocExample, examplesOf, hostModuleOf, moduleOf, statementsOf } from './doc-example.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ENTRY = new URL('../../packages/worker/src/index.ts', import.meta.url).href;
const HEAD = `import assert from 'node:assert/strict';
const check = async (value, expected) => assert.deepEqual(await value, await expected);
const checkThrows = (body, name) => assert.rejects(async () => body(), (error) => error.name === name);
`;

async function examples(folder: string): Promise<DocExample[]> {
  const all: DocExample[] = [];
  for await (const file of glob(`packages/${folder}/**/*.ts`, { cwd: ROOT }))
    all.push(...examplesOf(file, await readFile(join(ROOT, file), 'utf8')));
  return all.sort((one, other) => (one.file < other.file ? -1 : 1));
}

const all = await examples('worker/src');
const ofHost = await examples('host/src');
// Within the repository, so that packages are found from there.
const directory = mkdtempSync(join(ROOT, 'node_modules/.doc-examples-'));
/** What the examples of the host name. */
const site = join(directory, 'site');
for (const folder of ['servlets', 'public', 'example.org']) mkdirSync(join(site, folder), { recursive: true });
for (const file of ['sum.ts', 'servlets/sum.ts']) copyFileSync(join(ROOT, 'examples/sum2.ts'), join(site, file));
writeFileSync(join(site, 'servlets/shop.ts'), `export default () => 'shop';\n`);
for (const folder of ['public', 'example.org']) writeFileSync(join(site, folder, 'index.html'), folder);
// Where examples name a file, and leave one.
const cwd = process.cwd();
beforeAll(() => process.chdir(site));
afterAll(() => {
  process.chdir(cwd);
  rmSync(directory, { recursive: true, force: true });
});

function importsFor(code: string, exported: readonly string[], from: string): string {
  const used = exported.filter((name) => new RegExp(`\\b${name}\\b`).test(code));
  return used.length === 0 ? '' : `import { ${used.join(', ')} } from '${from}';\n`;
}

async function importsOfHost(code: string): Promise<string> {
  const dispatcherNames = Object.keys((await import('@custodian/host')).dispatchers);
  const used = dispatcherNames.filter((name) => new RegExp(`\\b${name}\\(`).test(code));
  return (
    importsFor(code, ['Custodian', 'serve'], '@custodian/host') +
    importsFor(code, ['Dispatcher'], '@custodian/host').replace('import', 'import type') +
    importsFor(code, Object.keys(await import('@custodian/host/testing')), '@custodian/host/testing') +
    (used.length === 0
      ? ''
      : `import { dispatchers } from '@custodian/host';\nconst { ${used.join(', ')} } = dispatchers;\n`)
  );
}

describe('examples in doc comments', async () => {
  const names = Object.keys((await import('@custodian/worker')) as object);
  const isServlet = ({ code }: DocExample): boolean => /^export default/m.test(code);

  test('there are some', () => expect(all.length).toBeGreaterThan(0));

  test.each(
    all
      .filter((example) => !isServlet(example))
      .map((example, index) => [example.symbol, `${example.file}:${example.line}`, example, index] as const),
  )('%s, %s, comes to what it says', async (_symbol, _place, example, index) => {
    const file = join(directory, `run-${index}.mjs`);
    const code = stripTypeScriptTypes(importsFor(example.code, names, ENTRY) + HEAD + moduleOf(example));
    writeFileSync(file, code);
    await expect(import(/* @vite-ignore */ pathToFileURL(file).href)).resolves.toBeDefined();
  });

  test('a function in one is a servlet that answers to its end', async () => {
    using servlets = new ServletDirectory();
    const found = all.flatMap(({ symbol, code }) => {
      const call = callIn(code);
      return call === null ? [] : [{ symbol, code, call }];
    });
    expect(found.length).toBeGreaterThan(20);
    for (const { symbol, code, call } of found) {
      const imports = importsFor(code, names, '@custodian/worker');
      servlets.write(symbol, stripTypeScriptTypes(`${imports}${code}\nexport default (request) => ${call};\n`));
    }
    // In one thread: most of the time of each would be that of its start.
    const imports = found.map(({ symbol }, index) => `import e${index} from './${symbol}.mjs';\n`).join('');
    const table = found.map(({ symbol }, index) => `'${symbol}': e${index}`).join(', ');
    servlets.write(
      'all',
      `${imports}const all = { ${table} };\nexport default (request) => all[request.path.split('/').at(-1)](request);\n`,
    );
    await using host = await testServlet(servlets.file('all'));
    for (const { symbol } of found) {
      const answers = await answersOf(new Visitor(host.url), `/all/${symbol}`);
      const wrong = answers.filter(({ status }) => ![200, 303, 401].includes(status));
      expect(wrong.map(({ text }) => `${symbol}: ${text}`)).toEqual([]);
    }
  });

  test.each(
    ofHost.map((example, index) => [example.symbol, `${example.file}:${example.line}`, example, index] as const),
  )('%s, %s, runs, and a host that it makes or is put into answers', async (_symbol, _place, example, index) => {
    const file = join(site, `run-host-${index}.mjs`);
    const code = stripTypeScriptTypes((await importsOfHost(example.code)) + hostModuleOf(example));
    writeFileSync(file, code);
    const { status } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { status?: number };
    expect([undefined, 200, 204, 404]).toContain(status);
  });

  test('every function that an author or an operator imports has one', async () => {
    const { dispatchers, ...host } = await import('@custodian/host');
    const surface = { ...(await import('@custodian/worker')), ...(await import('@custodian/host/testing')) };
    const functions = Object.entries({ ...surface, ...host, ...dispatchers }).filter(([name, value]) => {
      // Errors and what only the library makes have no example: they are in those of who makes them.
      return typeof value === 'function' && !/Error$|^Page/.test(name);
    });
    const symbols = new Set([...all, ...ofHost].map(({ symbol }) => symbol));
    // It goes by another name in the library.
    if (symbols.has('createParameter')) symbols.add('webParameter');
    expect(functions.map(([name]) => name).filter((name) => !symbols.has(name))).toEqual([]);
  });

  test('all of them have the right types', async () => {
    for (const [index, { code, file, line }] of ofHost.entries()) {
      const imports = await importsOfHost(code);
      const uses = statementsOf(code)
        .map((statement) => statement.code)
        .join('\n');
      writeFileSync(join(directory, `types-host-${index}.ts`), `// ${file}:${line}\n${imports}${uses}\nexport {};\n`);
    }
    const types = ['ServletRequest', 'Html', 'Xexpr', 'PlainReply', 'ServletResult', 'Formlet', 'Cookie'];
    for (const [index, { code, file, line }] of all.entries()) {
      const imports =
        importsFor(code, names, '@custodian/worker') +
        importsFor(code, types, '@custodian/worker').replace('import', 'import type');
      const uses = statementsOf(code)
        .map((statement) => statement.code)
        .join('\n');
      writeFileSync(join(directory, `types-${index}.ts`), `// ${file}:${line}\n${imports}${uses}\nexport {};\n`);
    }
    const compilerOptions = { isolatedDeclarations: false, declaration: false };
    const config = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['types-*.ts'] };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config));
    let output = '';
    try {
      execFileSync(
        process.execPath,
        [fileURLToPath(new URL('../bin/tsc', import.meta.resolve('typescript'))), '--project', directory],
        { encoding: 'utf8' },
      );
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    expect(output).toBe('');
  });
});
