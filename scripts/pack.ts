/**
 * Makes from `packages/` what can be published: `dist/protocol`, `dist/worker`, `dist/host`, and a tarball of each. Node
 * refuses to strip types under node_modules, so that there the modules are JavaScript, with declarations beside them.
 * The layout stays, and stripping moves no line: a stack trace from an installed host points into the sources.
 *
 * `node scripts/pack.ts [DIRECTORY]`; without one, `dist`.
 */
import { execFileSync } from 'node:child_process';
import { cp, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const NAMES = ['protocol', 'worker', 'host'] as const;
/** Static and dynamic imports, and exports, of a module of the same package. */
const RELATIVE_IMPORT = /(\b(?:from|import)\s*\(?\s*(['"])\.{1,2}\/[^'"]+)\.ts\2/g;

interface Manifest {
  private?: boolean;
  bin?: Record<string, string>;
  exports: Record<string, string>;
  [field: string]: unknown;
}

const dist = resolve(process.argv[2] ?? join(ROOT, 'dist'));
for (const name of NAMES) await rm(join(dist, name), { recursive: true, force: true });
await writeDeclarations();
for (const name of NAMES) await pack(name);

/** All at once: `host/src/index.d.ts` and so on. */
async function writeDeclarations(): Promise<void> {
  const project = join(ROOT, 'scripts/tsconfig.declarations.json');
  const compiler = fileURLToPath(new URL('../bin/tsc', import.meta.resolve('typescript')));
  execFileSync(process.execPath, [compiler, '--project', project, '--outDir', dist], { stdio: 'inherit' });
  for await (const file of glob(
    NAMES.map((name) => `${name}/src/**/*.d.ts`),
    { cwd: dist },
  ))
    await writeFile(join(dist, file), withJsImports(await readFile(join(dist, file), 'utf8')));
}

async function pack(name: string): Promise<void> {
  const from = join(ROOT, 'packages', name);
  const to = join(dist, name);
  for await (const file of glob('{src,bin}/**/*.{ts,js,mjs}', { cwd: from })) await writeModule(from, to, file);
  await writeFile(join(to, 'package.json'), `${JSON.stringify(await manifest(from), null, 2)}\n`);
  await cp(join(from, 'README.md'), join(to, 'README.md'));
  await cp(join(ROOT, 'LICENSE'), join(to, 'LICENSE'));
  const tarball = execFileSync('npm', ['pack', to, '--pack-destination', dist, '--silent'], {
    encoding: 'utf8',
    // npm is a script for the shell there.
    shell: process.platform === 'win32',
  });
  console.log(join(dist, tarball.trim()));
}

async function writeModule(from: string, to: string, file: string): Promise<void> {
  const text = await readFile(join(from, file), 'utf8');
  const target = join(to, file.replace(/\.ts$/, '.js'));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, withJsImports(file.endsWith('.ts') ? stripTypeScriptTypes(text) : text));
}

function withJsImports(text: string): string {
  return text.replace(RELATIVE_IMPORT, '$1.js$2');
}

async function manifest(from: string): Promise<unknown> {
  const { private: _, ...rest } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8')) as Manifest;
  const exports = Object.entries(rest.exports).map(([entry, file]) => [
    entry,
    { types: file.replace(/\.ts$/, '.d.ts'), default: file.replace(/\.ts$/, '.js') },
  ]);
  return {
    ...rest,
    engines: { node: '>=24' },
    exports: Object.fromEntries(exports) as unknown,
    files: rest.bin === undefined ? ['src'] : ['bin', 'src'],
  };
}
