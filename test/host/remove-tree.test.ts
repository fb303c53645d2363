import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { removeTree } from '../../packages/host/src/remove-tree.ts';

const MODULE = new URL('../../packages/host/src/remove-tree.ts', import.meta.url).href;
const NOBODY = 65534;

function tree(): string {
  return mkdtempSync(join(tmpdir(), 'custodian-tree-'));
}

describe('removeTree()', () => {
  test('removeTree() removes a tree, and what is not there', async () => {
    const root = tree();
    mkdirSync(join(root, 'a/b'), { recursive: true });
    writeFileSync(join(root, 'a/b/c'), 'x');
    await removeTree(root);
    await removeTree(root);
    expect(existsSync(root)).toBe(false);
  });

  test('removeTree() removes a tree that is deeper than a path can be long', async () => {
    const root = tree();
    let deep = root;
    while (deep.length + 202 < 4000) mkdirSync((deep = join(deep, 'x'.repeat(200))));
    mkdirSync(join(root, 'd/e'), { recursive: true });
    writeFileSync(join(root, 'd/e', 'f'.repeat(200)), 'x');
    renameSync(join(root, 'd'), join(deep, 'd'.repeat(90)));
    await removeTree(root);
    expect(existsSync(root)).toBe(false);
  });

  // Only root may become another user, and nothing is closed to root.
  test.runIf(process.getuid?.() === 0)('removeTree() removes directories that their owner may not read', () => {
    const root = tree();
    const place = join(root, 'mine');
    mkdirSync(join(place, 'a/b'), { recursive: true });
    writeFileSync(join(place, 'a/b/c'), 'x');
    chmodSync(root, 0o777);
    for (const path of [place, join(place, 'a'), join(place, 'a/b'), join(place, 'a/b/c')])
      chownSync(path, NOBODY, NOBODY);
    chmodSync(join(place, 'a/b'), 0);
    chmodSync(join(place, 'a'), 0);
    const script = `process.setgid(${NOBODY}); process.setuid(${NOBODY}); await removeTree(${JSON.stringify(place)});`;
    execFileSync(process.execPath, [
      '--no-warnings',
      '--input-type=module',
      '--eval',
      `import { removeTree } from ${JSON.stringify(MODULE)}; ${script}`,
    ]);
    expect(existsSync(place)).toBe(false);
    rmSync(root, { recursive: true, force: true });
  });
});
