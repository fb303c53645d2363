import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { outcomeOf, PROGRAM, runCustodian } from './custodian-program.ts';

describe('custodian', () => {
  test('--version prints the version of the package', async () => {
    const text = await readFile(new URL('../../packages/host/package.json', import.meta.url), 'utf8');
    const { version } = JSON.parse(text) as { version: string };
    expect(await outcomeOf(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('--help prints usage on the standard output', async () => {
    const help = await outcomeOf(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('custodian serve <file or directory>');
    const serveHelp = await outcomeOf(['serve', '--help']);
    expect(serveHelp).toMatchObject({ code: 0, stderr: '' });
    expect(serveHelp.stdout).toMatch(/heapMb +50 /);
  });

  test.each([
    [['sreve'], 'custodian: Unknown command "sreve" (did you mean "serve"?)\n'],
    [['serve', '/nowhere'], 'custodian: Cannot serve "/nowhere": it does not exist\n'],
    [['serve', '.', '--prot', '1'], 'custodian: Unknown option "--prot" of custodian serve (did you mean "--port"?)\n'],
    [
      ['serve', '.', '--config', '/nowhere.json'],
      'custodian: Cannot read config "/nowhere.json": there is no such file\n',
    ],
  ])('%j ends with 2 and one line on the standard error', async (args, stderr) => {
    expect(await outcomeOf(args)).toEqual({ code: 2, stdout: '', stderr });
  });

  test('doctor prints a table for people, and --json for programs', async () => {
    const env = { NODE_OPTIONS: '--max-old-space-size=4000' };
    const table = await outcomeOf(['doctor'], { env });
    expect(table).toMatchObject({ code: 0, stderr: '' });
    expect(table.stdout).toContain('process per servlet');
    expect(table.stdout).toContain('--max-old-space-size=4000: not passed on to cells');
    expect(table.stdout).not.toContain('\u001B');
    const json = await outcomeOf(['doctor', '--json'], { env });
    expect(JSON.parse(json.stdout)).toMatchObject({
      isAble: true,
      node: process.version,
      nodeOptions: [{ flag: '--max-old-space-size=4000' }],
    });
  });
});

/** A Node that is too old to run TypeScript, if the machine has one. */
const oldNode = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .find((node) => {
    if (!existsSync(node)) return false;
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' });
    return Number(/^v(\d+)/.exec(version)?.[1]) < 24;
  });
if (oldNode === undefined) console.log('Skipped: tests with an old Node, because the machine has none');

describe.skipIf(oldNode === undefined)('custodian under an old Node', () => {
  test('goes on under the one that npm brought, with its arguments and exit code', async () => {
    const report = await outcomeOf(['doctor', '--json'], { node: oldNode! });
    expect((JSON.parse(report.stdout) as { node: string }).node).toMatch(/^v(2[4-9]|[3-9]\d)\./);
    expect(await outcomeOf(['sreve'], { node: oldNode! })).toMatchObject({ code: 2 });
  });

  test('passes on a signal, and the way in which it ended', async () => {
    const hello = fileURLToPath(new URL('../../examples/hello.ts', import.meta.url));
    const run = runCustodian(['serve', hello, '--port', '0'], { node: oldNode! });
    await run.line('Custodian ready at ');
    run.child.kill('SIGTERM');
    expect(await run.ended).toEqual({ code: 0, signal: null });
  });

  test('says in one line what it needs where there is no other, and where the other one is old as well', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'custodian-old-'));
    try {
      const bin = join(folder, 'bin');
      await mkdir(bin);
      await writeFile(join(folder, 'package.json'), '{"type": "module"}');
      for (const file of ['custodian.js', 'find-node.js', 'require-node.js']) {
        await copyFile(join(dirname(PROGRAM), file), join(bin, file));
      }
      const run = (file: string): { status: number | null; stderr: string } => {
        try {
          execFileSync(oldNode!, [join(bin, file), 'doctor'], { encoding: 'utf8', stdio: 'pipe' });
          return { status: 0, stderr: '' };
        } catch (error) {
          return error as { status: number; stderr: string };
        }
      };
      const line = /^custodian needs Node 24 or newer; this is v\d+\.\d+\.\d+\..*\n$/;
      for (const file of ['custodian.js', 'require-node.js']) {
        expect(run(file)).toMatchObject({ status: 1, stderr: expect.stringMatching(line) as string });
      }
      await mkdir(join(folder, 'node_modules/.bin'), { recursive: true });
      await symlink(oldNode!, join(folder, 'node_modules/.bin/node'));
      expect(run('custodian.js')).toMatchObject({ status: 1, stderr: expect.stringMatching(line) as string });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
