import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stripTypeScriptTypes } from 'node:module';
import { execFileSync } from 'node:child_process';
import { afterAll, describe, expect, test } from 'vitest';
import { type DocExample, examplesOf, moduleOf, statementsOf } from './doc-example.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ENTRY = new URL('../../packages/worker/src/index.ts', import.meta.url).href;
const HEAD = `import assert from 'node:assert/strict';
const check = async (value, expected) => assert.deepEqual(await value, await expected);
const checkThrows = (body, name) => assert.rejects(async () => body(), (error) => error.name === name);
`;

async function examples(): Promise<DocExample[]> {
  const all: DocExample[] = [];
  for await (const file of glob('packages/worker/src/**/*.ts', { cwd: ROOT }))
    all.push(...examplesOf(file, await readFile(join(ROOT, file), 'utf8')));
  return all.sort((one, other) => (one.file < other.file ? -1 : 1));
}

const all = await examples();
// Within the repository, so that packages are found from there.
const directory = mkdtempSync(join(ROOT, 'node_modules/.doc-examples-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function importsFor(code: string, exported: readonly string[], from: string): string {
  const used = exported.filter((name) => new RegExp(`\\b${name}\\b`).test(code));
  return used.length === 0 ? '' : `import { ${used.join(', ')} } from '${from}';\n`;
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

  test('all of them have the right types', () => {
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
