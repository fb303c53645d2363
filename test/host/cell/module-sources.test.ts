import { mkdtempSync, rmSync } from 'node:fs';
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
