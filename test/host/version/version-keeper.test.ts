import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ModuleHash, VersionKeeper } from '../../../packages/host/src/version/version-keeper.ts';

const root = mkdtempSync(join(tmpdir(), 'custodian-versions-'));
afterAll(() => rmSync(root, { recursive: true }));

const COMPILER = 'compiler';
const modulesOf = (hash: string): ModuleHash[] => [['flow.ts', hash]];

async function open(name: string): Promise<VersionKeeper> {
  const keeper = new VersionKeeper(join(root, name), {
    keepMs: () => 60_000,
    onFault: (error) => console.error(error),
  });
  await keeper.open(['flow']);
  return keeper;
}

/** What a thread does that has loaded this code. */
async function load(keeper: VersionKeeper, hash: string, compiler: string = COMPILER): Promise<void> {
  const modules = modulesOf(hash);
  if (await keeper.setPresent('flow', compiler, modules)) return;
  await keeper.keep('flow', { compiler, persistence: 'stateless', modules, code: {} });
}

const isKept = (keeper: VersionKeeper, hash: string): boolean =>
  keeper.find('flow', COMPILER, modulesOf(hash)) !== null;

describe('VersionKeeper', () => {
  test('at eleven versions the one goes that was replaced longest ago, which is not one that was gone back to since', async () => {
    const keeper = await open('order');
    await load(keeper, 'first');
    for (let i = 0; i < 9; i++) await load(keeper, `then ${i}`);
    // An edit is taken back.
    await load(keeper, 'first');
    await load(keeper, 'last');
    expect(isKept(keeper, 'first')).toBe(true);
    expect(isKept(keeper, 'then 0')).toBe(false);
    expect(isKept(keeper, 'then 1')).toBe(true);
    const again = await open('order');
    expect(['first', 'then 0', 'then 1', 'last'].map((hash) => isKept(again, hash))).toEqual([true, false, true, true]);
  });

  test('none is kept over an update of what has compiled it', async () => {
    const keeper = await open('update');
    await load(keeper, 'one');
    await load(keeper, 'two');
    expect(isKept(keeper, 'one')).toBe(true);
    await load(keeper, 'two', 'the next compiler');
    for (const compiler of [COMPILER, 'the next compiler'])
      expect(keeper.find('flow', compiler, modulesOf('one'))).toBeNull();
    expect(keeper.find('flow', 'the next compiler', modulesOf('two'))).not.toBeNull();
  });
});
