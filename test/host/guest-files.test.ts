import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { serve } from '../../packages/host/src/index.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';

const ATTEMPT = `async function attempt(what: () => unknown): Promise<string> {
  try { return 'done: ' + String(await what()); } catch (error) { return 'denied: ' + (error as { code?: string }).code; }
}`;

/** Installs this library in a directory. @returns the URL of its host */
function libraryIn(directory: string): string {
  const here = fileURLToPath(new URL('../../', import.meta.url));
  cpSync(join(here, 'packages'), join(directory, 'packages'), { recursive: true });
  const modules = join(directory, 'node_modules');
  mkdirSync(join(modules, '@custodian'), { recursive: true });
  for (const name of readdirSync(join(here, 'node_modules')))
    if (name !== '@custodian') symlinkSync(join(here, 'node_modules', name), join(modules, name));
  for (const name of readdirSync(join(directory, 'packages')))
    symlinkSync(join(directory, 'packages', name), join(modules, '@custodian', name));
  return pathToFileURL(join(directory, 'packages/host/src/index.ts')).href;
}

/** What `app/guest.ts` of this text answers, with links in its directory to what lies outside of it. */
async function answerOf(text: string): Promise<string> {
  using directory = new ServletDirectory({
    'app/guest.ts': text,
    'other/secret.ts': `export const password: string = 'hunter2';\nexport default (): string => password;`,
  });
  writeFileSync(join(directory.path, 'other/secret.txt'), 'the first line of a secret');
  symlinkSync(join(directory.path, 'other/secret.txt'), join(directory.path, 'app/secret.txt'));
  symlinkSync(join(directory.path, 'other/secret.ts'), join(directory.path, 'app/link.ts'));
  symlinkSync(join(directory.path, 'other'), join(directory.path, 'app/other'));
  symlinkSync(join(directory.path, 'app/guest.ts'), join(directory.path, 'app/itself.txt'));
  const servlets = [{ file: directory.file('app/guest.ts'), spareThreads: 0 }];
  await using host = await serve({ servlets, isDevelopment: true, warmCells: 0 });
  return (await fetch(`${host.url}/guest`)).text();
}

describe('a guest', () => {
  test.each(['../other/secret.ts', './link.ts', './other/secret.ts'])(
    'imports no TypeScript of others, though its host strips what it imports: %s',
    async (specifier) => {
      const page = await answerOf(`${ATTEMPT}
        export default () => attempt(async () => (await import('${specifier}')).password);`);
      expect(page).toBe('denied: ERR_ACCESS_DENIED');
      expect(await answerOf(`import { password } from '${specifier}';\nexport default () => password;`)).toContain(
        'SERVLET_LOAD',
      );
    },
    20_000,
  );

  test.each([
    `fs.readFileSync(at('secret.txt'), 'utf8')`,
    `fs.readFileSync(Buffer.from(at('secret.txt').pathname), 'utf8')`,
    `fs.promises.readFile(at('secret.txt'), 'utf8')`,
    `fs.readFileSync(fs.openSync(at('secret.txt'), 'r'), 'utf8')`,
    `fs.readFileSync(at('other/secret.txt'), 'utf8')`,
    `fs.readdirSync(at('other'))`,
    `new Promise((resolve, reject) => fs.createReadStream(at('secret.txt')).on('data', resolve).on('error', reject))`,
    `fs.readFileSync({ href: 'file:///', protocol: 'file:', hostname: '', reads: 0, get pathname() { return at(this.reads++ === 0 ? 'itself.txt' : 'secret.txt').pathname; } } as never, 'utf8').replace(/^import[^]*/, 'its own')`,
    `textTemplate('secret.txt')({}).then(String)`,
  ])('does not follow a link that leads out of its directory: %s', async (read) => {
    const page = await answerOf(`import fs from 'node:fs';
      import { textTemplate } from '@custodian/worker';
      const at = (name: string): URL => new URL(name, import.meta.url);
      void textTemplate;
      ${ATTEMPT}
      export default () => attempt(() => ${read});`);
    expect(page).toMatch(/^denied: |^done: its own/);
    expect(page).not.toContain('line of a secret');
  });

  test('is refused where its path has a star in it, which would let it read what is beside it', async () => {
    using directory = new ServletDirectory({ 'all*/guest.ts': `export default (): string => '';` });
    const file = directory.file('all*/guest.ts');
    for (const options of [
      { servlets: [{ file }] },
      { servlets: [{ file, profile: 'jail' as const, weakerProfile: 'guest' as const }] },
    ])
      await expect(serve(options)).rejects.toMatchObject({ code: 'CUSTODIAN_CONFIG' });
    await expect(serve({ stateDir: directory.file('all*/state.ts') })).rejects.toMatchObject({
      code: 'CUSTODIAN_CONFIG',
    });
    await using host = await serve({ servlets: [{ file, profile: 'trusted' }] });
    expect(host.servlets[0]?.name).toBe('guest');
  });

  test('is refused at the start where a directory of servlets has a star in its path', async () => {
    using directory = new ServletDirectory({ 'all*/guest.ts': `export default (): string => 'here';` });
    const root = join(directory.path, 'all*');
    for (const servletsRoot of [root, { root, profile: 'jail' as const, weakerProfile: 'guest' as const }])
      await expect(serve({ servletsRoot })).rejects.toMatchObject({ code: 'CUSTODIAN_CONFIG' });
    await using host = await serve({ servletsRoot: { root, profile: 'trusted' } });
    expect(await (await fetch(`${host.url}/guest`)).text()).toBe('here');
  });

  test('is refused by a library below a path with a star, which would let it read what is beside that', () => {
    using directory = new ServletDirectory({
      'guest.ts': `export default (): string => '';`,
      'start.ts': `const [, , library, file] = process.argv as string[];
        const { serve } = await import(library as string) as { serve: (options: object) => Promise<{ close(): Promise<void> }> };
        const kinds = [
          { servlets: file }, { servlets: [{ file, profile: 'trusted' }] }, { servletsRoot: '.' }, { servletsRoot: { root: '.', profile: 'trusted' } },
        ];
        for (const options of kinds) {
          const host = await serve({ profile: 'guest', warmCells: 0, ...options }).catch((error: { code: string }) => error.code);
          console.log(typeof host === 'string' ? host : 'started');
          if (typeof host !== 'string') await host.close();
        }
        const state = await serve({ servlets: [{ file, profile: 'trusted' }], stateDir: 'state' }).catch((error: { code: string }) => error.code);
        console.log(state);
        process.exit();`,
    });
    const library = libraryIn(join(directory.path, 'all*'));
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [directory.file('start.ts'), library, directory.file('guest.ts')],
      { cwd: join(directory.path, 'all*'), encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([
      'CUSTODIAN_CONFIG',
      'started',
      'CUSTODIAN_CONFIG',
      'started',
      'CUSTODIAN_CONFIG',
    ]);
  });

  test.each(['漢字'.repeat(40), 'long/'.repeat(80), '*', '...', '\u{1f600}'])(
    'has a temporary directory whatever its name is: %s',
    async (name) => {
      using directory = new ServletDirectory({
        'guest.ts': `import fs from 'node:fs'; import { tmpdir } from 'node:os';
          export default (): string => { fs.writeFileSync(tmpdir() + '/x', 'written'); return fs.readFileSync(tmpdir() + '/x', 'utf8'); };`,
      });
      await using host = await serve({
        servlets: [{ file: directory.file('guest.ts'), mount: name, regexp: '' }],
        limits: { loadTimeoutMs: 5000 },
        warmCells: 0,
      });
      expect(await (await fetch(host.url)).text()).toBe('written');
    },
  );

  test('gets no lines of a file elsewhere shown by naming it in an error', async () => {
    const page = await answerOf(`export default () => {
      const file = new URL('secret.txt', import.meta.url).pathname;
      throw Object.assign(new Error('x'), { file, line: 1, column: 1 });
    };`);
    expect(page).toContain('SERVLET_ERROR');
    expect(page).not.toContain('the first line');
  });

  test('reads its own files by links and addresses', async () => {
    const page = await answerOf(`import fs from 'node:fs';
      ${ATTEMPT}
      export default () => attempt(() => fs.readFileSync(new URL('itself.txt', import.meta.url), 'utf8').length > 100);`);
    expect(page).toBe('done: true');
  });
});
