import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { ModuleSources } from '../../../packages/host/src/cell/module-sources.ts';
import { WarmCells } from '../../../packages/host/src/cell/warm-cells.ts';
import { WarmUp } from '../../../packages/host/src/cell/warm-up.ts';
import { Custodian } from '../../../packages/host/src/custodian.ts';
import { compileModule } from '../../../packages/worker/src/servlet/compile-hook.ts';
import { COMPILER_PACKAGES } from '../../../packages/worker/src/servlet/compiler-packages.ts';
import { childProcesses, residentBytes } from '../../support/process-tree.ts';
import { StartedHost } from '../../support/started-host.ts';

const parent = mkdtempSync(join(tmpdir(), 'warm-up-'));
afterAll(() => rmSync(parent, { recursive: true }));

const PROTOCOL = import.meta.resolve('@custodian/protocol');
const WORKER = import.meta.resolve('@custodian/worker');

/** As a cell has it. */
function warmUpOfCell(): WarmUp {
  const sources = new ModuleSources(parent, { '@custodian/protocol': PROTOCOL, '@custodian/worker': WORKER });
  const runtime = (path: string): string => new URL(`${path}${extname(WORKER)}`, WORKER).href;
  const entry = runtime('thread');
  return new WarmUp({
    boot: new URL('warm-up.mjs', WORKER),
    resourceLimits: {},
    directory: parent,
    data: () => {
      const texts = sources.collect(entry);
      for (const path of ['continuation/emitted', 'continuation/compile/compile'])
        sources.collect(runtime(path), texts);
      return { entry, protocol: PROTOCOL, sources: texts, packages: COMPILER_PACKAGES };
    },
  });
}

it('WarmUp compiles and runs its servlet, and then strips modules in its thread, until it is ended', async () => {
  const warmUp = warmUpOfCell();
  await new Promise<void>((resolve) => warmUp.begin(resolve, () => {}));
  const stripped: string[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const text = `export interface A${turn} { a: string }\nexport const a: A${turn} = { a: 'é' };\n`;
    stripped.push(warmUp.strip(text));
    expect(stripped[turn]).toBe(stripTypeScriptTypes(text));
    // The thread says nothing of it; who asked meets the error as if there were no thread, and the next text has its own answer.
    expect(() => warmUp.strip('const a: = 1')).toThrow(SyntaxError);
  }
  warmUp.end();
  expect(warmUp.strip('let a: number = 1;')).toBe('let a         = 1;');
});

it('WarmUp compiles as the thread of a servlet would, for all threads of that servlet, and leaves to them what it can not', async () => {
  const warmUp = warmUpOfCell();
  const url = new URL('servlet.ts', `file://${parent}/`).href;
  const text =
    "import { sendSuspend } from '@custodian/worker';\nexport default async () => 'é' + (await sendSuspend((k) => k));\n";
  const modules = [
    { url, text, stripped: text },
    { url: `${url}?broken`, text: '(', stripped: '(' },
  ];
  const order = { root: new URL('.', url).href, compiledPackages: [], persistence: 'stateless' as const, modules };
  expect(await warmUp.compile(order)).toEqual([]);
  await new Promise<void>((resolve) => warmUp.begin(resolve, () => {}));
  const [first, second, other] = [
    warmUp.compile(order),
    warmUp.compile(structuredClone(order)),
    warmUp.compile({ ...order, persistence: null }),
  ];
  // Another servlet of the group has its modules, and needs the thread no longer.
  warmUp.end();
  expect(warmUp.strip('let a: number = 1;')).toBe('let a         = 1;');
  const [made] = await first;
  const { code, warnings } = compileModule(url, text, { savedAs: 'servlet.ts' });
  expect(made).toEqual({ url, stripped: text, code, warnings });
  expect(await first).toHaveLength(1);
  expect(await second).toEqual(await first);
  expect(await other).toEqual([]);
  warmUp.end();
  expect(await warmUp.compile(order)).toEqual([]);
});

it('WarmUp that is ended before it is warm says nothing more, and strips all the same', async () => {
  const warmUp = warmUpOfCell();
  let isWarm = false;
  warmUp.begin(
    () => (isWarm = true),
    () => {},
  );
  warmUp.end();
  expect(warmUp.strip('let a: number = 1;')).toBe('let a         = 1;');
  const second = warmUpOfCell();
  const gone = Promise.withResolvers<void>();
  await new Promise<void>((resolve) => second.begin(resolve, () => gone.resolve()));
  second.end();
  await gone.promise;
  expect(isWarm).toBe(false);
});

it.for(['trusted', 'guest'] as const)(
  'WarmCells warms up a spare cell that nobody takes, and none that is taken: %s',
  async (profile) => {
    const custodian = new Custodian('root', null);
    const directory = join(parent, profile);
    const site = {
      emptyDir: join(directory, 'empty'),
      cacheDir: join(directory, 'cache'),
      tempDir: join(directory, 'temp'),
    };
    for (const each of Object.values(site)) mkdirSync(each, { recursive: true });
    const cells = new WarmCells({ custodian, ...site, jail: null }, 2);
    cells.expectUse(profile);
    await cells.prepare(profile);
    const [, waiting] = cells.waiting;
    const view = { files: [], packages: [], tempMaxBytes: 0 };
    const taken = cells.take(profile, view, true);
    const baseBytes = waiting!.memory.baseBytes;
    await expect.poll(() => waiting!.isWarm, { timeout: 20_000 }).toBe(true);
    expect(taken.isWarm).toBe(false);
    // What it leaves is no servlet's.
    expect(waiting!.memory.baseBytes).toBeGreaterThan(baseBytes);
    // Who has no room for that does not get it.
    expect(cells.take(profile, view, false).hasWarmUp).toBe(false);
    expect(cells.take(profile, view, true)).toBe(waiting);
    await custodian.shutdownAll();
  },
);

it('a servlet whose cell has a wall of the operator’s is not killed for what a warm-up leaves', async () => {
  const servlet = `export default () => 'here';`;
  const tight = { limits: { rssMb: 120 } };
  await using started = await StartedHost.withReserves({ tight: servlet, wide: servlet }, {}, { tight });
  const spareBytes = (): number => Math.max(...childProcesses(process.pid).map(({ pid }) => residentBytes(pid).now));
  await expect.poll(spareBytes, { timeout: 20_000 }).toBeGreaterThan(tight.limits.rssMb << 20);
  for (let i = 0; i < 10; i++) {
    expect((await fetch(`${started.url}/tight`)).status).toBe(200);
    await sleep(50);
  }
  expect(started.host.ledger.obituaries).toEqual([]);
});
