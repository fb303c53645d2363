import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { ModuleSources } from '../../../packages/host/src/cell/module-sources.ts';
import { ServletDirectory } from '../../support/servlet-directory.ts';

test('ModuleSources.collect() walks modules that import each other once, in JavaScript too, and strips TypeScript', () => {
  using directory = new ServletDirectory({
    'main.mjs': `import { twice } from './other.mjs';\nexport const n = 1;\nexport default () => twice();`,
    'other.mjs': `import { n } from './main.mjs';\nimport { label } from './label.ts';\nexport const twice = () => label(n * 2);`,
    'label.ts': `import { n } from './main.mjs';\nexport const label = (m: number): string => \`\${m} of \${n}\`;`,
  });
  const cacheDir = mkdtempSync(join(tmpdir(), 'custodian-cache-'));
  try {
    const urlOf = (name: string): string => pathToFileURL(join(directory.path, name)).href;
    const collected = new ModuleSources(cacheDir, {}).collect(urlOf('main.mjs'));
    expect(Object.keys(collected)).toEqual([urlOf('label.ts')]);
    expect(collected[urlOf('label.ts')]).toContain('(m        )');
  } finally {
    rmSync(cacheDir, { recursive: true });
  }
});

test('ModuleSources.collect() reads of a runtime only what has changed since another saved what it knew', () => {
  using directory = new ServletDirectory({
    'index.ts': `import { label } from './label.js';\nexport const show = (n: number): string => label(n);`,
    'label.js': `export const label = (n) => 'first ' + n;`,
  });
  const cacheDir = mkdtempSync(join(tmpdir(), 'custodian-cache-'));
  try {
    const urlOf = (name: string): string => pathToFileURL(join(directory.path, name)).href;
    const aliases = { library: urlOf('index.ts') };
    const known = new ModuleSources(cacheDir, aliases);
    const first = known.collect(urlOf('index.ts'));
    expect(Object.keys(first).sort()).toEqual([urlOf('index.ts'), urlOf('label.js')]);
    known.save();
    expect(new ModuleSources(cacheDir, aliases).collect(urlOf('index.ts'))).toEqual(first);
    // Of the same length.
    writeFileSync(join(directory.path, 'label.js'), `export const label = (n) => 'other ' + n;`);
    expect(new ModuleSources(cacheDir, aliases).collect(urlOf('index.ts'))).toEqual({
      ...first,
      [urlOf('label.js')]: `export const label = (n) => 'other ' + n;`,
    });
    expect(new ModuleSources(cacheDir, aliases).suspendingModules(urlOf('index.ts'), urlOf(''), [])).toBeNull();
  } finally {
    rmSync(cacheDir, { recursive: true });
  }
});

test('ModuleSources.suspendingModules() has the text of a module of which all else was known', () => {
  const text = `import { sendSuspend } from '@custodian/worker';\nexport default (): unknown => sendSuspend(String);`;
  using directory = new ServletDirectory({ 'index.ts': text });
  const cacheDir = mkdtempSync(join(tmpdir(), 'custodian-cache-'));
  try {
    const url = pathToFileURL(join(directory.path, 'index.ts')).href;
    const root = new URL('.', url).href;
    const known = new ModuleSources(cacheDir, { library: url });
    known.collect(url);
    known.save();
    const own = new ModuleSources(cacheDir, { library: url }).suspendingModules(url, root, []);
    expect(own).toEqual(new Map([[url, { text, stripped: text.replace(': unknown', '         ') }]]));
  } finally {
    rmSync(cacheDir, { recursive: true });
  }
});
