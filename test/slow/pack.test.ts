import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const run = promisify(execFile);

/** A guest that tells what it could read of the machine. */
const HELLO = `
import { readFileSync } from 'node:fs';
import { html, type ServletRequest } from '@custodian/worker';

export default function hello(request: ServletRequest) {
  let outside: string;
  try {
    outside = readFileSync('/etc/passwd', 'utf8');
  } catch (error) {
    outside = (error as NodeJS.ErrnoException).code ?? '';
  }
  const from: string = new Error('here').stack?.split('\\n')[1]?.replace(/.*\\//, '') ?? '';
  return html\`<p>Hello, \${request.bindings.get('name') ?? 'World'}! \${outside} \${from}</p>\`;
}
`;
const SPIN = `
export const limits = { cpuMs: 100 };
export default function spin(): never {
  for (;;);
}
`;
const EMBEDDING = `
import { type Host, serve } from '@custodian/host';

const host: Host = await serve({ servlets: ['hello.ts', { file: 'hello.ts', mount: 'trusted', profile: 'trusted' }], isDevelopment: true });
await host.ready();
for (const path of ['/hello', '/trusted', '/nowhere']) console.log((await fetch(host.url + path)).status);
await host.close();
console.log(host.custodian.describe().length);
`;

const SUM = `
import { html, sendSuspend } from '@custodian/worker';

export default async function sum() {
  const first = await ask('First');
  const second = await ask('Second');
  return html\`<p>The sum is \${first + second}.</p>\`;
}

async function ask(label: string): Promise<number> {
  const reply = await sendSuspend(
    (url) => html\`<form action="\${url}"><label>\${label} <input name="n"></label><button>Go</button></form>\`,
  );
  return Number(reply.bindings.single('n'));
}
`;
/** A test of that servlet, as an author writes it. */
const SUM_TEST = `
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Tab, testServlet } from '@custodian/host/testing';

test('sum adds, and takes Back', async () => {
  await using host = await testServlet(new URL('./sum.ts', import.meta.url), { limits: { heapMb: 30 } });
  const tab: Tab = await host.browse('/sum');
  await tab.fill('First', 3).submit('Go');
  await tab.fill('Second', 4).submit('Go');
  assert.equal(tab.text, 'The sum is 7.');
  await tab.back();
  await tab.fill('Second', 40).submit('Go');
  assert.equal(tab.query('p')?.text, 'The sum is 43.');
});
`;

let base: string;
/** What \`npm run pack\` printed, by package. */
let tarballs: { protocol: string; worker: string; host: string };

/** What this process has in its environment, without what npm and Vitest have put there for it alone. */
const env: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_(?:package|lifecycle)_|npm_config_local_prefix$|VITEST|NODE_OPTIONS$|NODE_ENV$)/.test(name),
  ),
);

/** A directory with these packages in it, and nothing else. */
async function installed(name: string, ...packages: string[]): Promise<string> {
  const directory = join(base, name);
  await mkdir(directory);
  // npm would look for one further up.
  await writeFile(join(directory, 'package.json'), '{}');
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], { cwd: directory, env });
  return directory;
}

/** What the compiler says about a file, declarations of packages included. */
async function complaintsAbout(directory: string, file: string): Promise<string> {
  try {
    const options = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext'];
    await run(process.execPath, [TSC, ...options, '--allowImportingTsExtensions', file], { cwd: directory, env });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

/** Resolves to the address of a host that was started by this command, when it is ready. */
async function readyAddress(program: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of program.stdout!.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    const address = /^Custodian ready at (\S+).*\n/m.exec(text)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error(`it ended without being ready: ${text}`);
}

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'custodian-pack-'));
  const script = join(ROOT, 'scripts/pack.ts');
  const { stdout } = await run(process.execPath, [script, join(base, 'dist')], { cwd: ROOT, env });
  const [protocol, worker, host] = stdout.trim().split('\n') as [string, string, string];
  tarballs = { protocol, worker, host };
}, 60_000);

afterAll(async () => {
  await rm(base, { recursive: true });
});

test('pack makes packages that can be published, without a specifier that ends in .ts', async () => {
  for (const name of ['protocol', 'worker', 'host'] as const) {
    const text = await readFile(join(base, 'dist', name, 'package.json'), 'utf8');
    const manifest = JSON.parse(text) as Record<string, unknown>;
    expect(manifest).not.toHaveProperty('private');
    const entry = (path: string): object => ({ types: `./src/${path}.d.ts`, default: `./src/${path}.js` });
    const more = {
      protocol: {},
      worker: { './check': entry('continuation/check/check') },
      host: { './testing': entry('testing/index') },
    };
    expect(manifest['exports']).toEqual({ '.': entry('index'), ...more[name] });
    const modules = await Array.fromAsync(glob('**/*.{js,mjs,ts}', { cwd: join(base, 'dist', name) }));
    expect(modules).toContain(join('src', 'index.js'));
    for (const file of modules) {
      expect(file).toMatch(/\.(?:js|mjs|d\.ts)$/);
      const code = await readFile(join(base, 'dist', name, file), 'utf8');
      expect(code, file).not.toMatch(/(?:from|import|resolve|URL)[ (]*['"`]\.[^'"`]*\.ts['"`]/);
    }
  }
});

test('the worker package tells an editor the types of a servlet, and nothing besides is needed', async () => {
  const directory = await installed('author', '--save-dev', tarballs.protocol, tarballs.worker);
  await writeFile(join(directory, 'hello.ts'), HELLO);
  expect(await complaintsAbout(directory, 'hello.ts')).toBe('');
  await writeFile(join(directory, 'wrong.ts'), HELLO.replace('request.bindings.get', 'request.bundings.get'));
  expect(await complaintsAbout(directory, 'wrong.ts')).toMatch(/^wrong\.ts\(\d+,\d+\): error TS\d+: .*'bundings'.*\n$/);
});

describe('the host package', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await installed('operator', tarballs.protocol, tarballs.worker, tarballs.host);
    await writeFile(join(directory, 'hello.ts'), HELLO);
    await writeFile(join(directory, 'embedding.mts'), EMBEDDING);
  }, 120_000);

  test('serves with `npx custodian`: a guest is walled in, and a servlet over its limit is ended', async () => {
    // A guest may read its own directory: with the servlets in another one, it has the host's packages by their own right.
    const servlets = join(base, 'servlets');
    await mkdir(servlets);
    await writeFile(join(servlets, 'hello.ts'), HELLO);
    await writeFile(join(servlets, 'spin.ts'), SPIN);
    const program = spawn('npx', ['custodian', 'serve', servlets, '--port', '0', '--log', 'off'], {
      cwd: directory,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // npx has an end and an exit code of its own; its pipe is closed when the host has ended as well.
    const ended = once(program, 'close');
    let address = '';
    try {
      address = await readyAddress(program);
      program.stdout.resume();
      const hello = await fetch(`${address}/hello?name=Ada`);
      expect(await hello.text()).toContain('<p>Hello, Ada! ERR_ACCESS_DENIED hello.ts:12:');
      expect(hello.status).toBe(200);
      const spin = await fetch(`${address}/spin`);
      expect(await spin.text()).toContain('cpuMs');
      expect(spin.status).toBe(504);
    } finally {
      program.kill('SIGTERM');
    }
    await ended;
    await expect(fetch(address)).rejects.toThrow('fetch failed');
  }, 60_000);

  test('runs inside a program, which has its types', async () => {
    expect(await complaintsAbout(directory, 'embedding.mts')).toBe('');
    const { stdout } = await run(process.execPath, ['embedding.mts'], { cwd: directory, env });
    expect(stdout.trim().split('\n')).toEqual(['200', '200', '404', '0']);
  });

  test('has a testing kit for the author of a servlet, with its types', async () => {
    await writeFile(join(directory, 'sum.ts'), SUM);
    await writeFile(join(directory, 'sum.test.mts'), SUM_TEST);
    expect(await complaintsAbout(directory, 'sum.test.mts')).toBe('');
    const wrong = SUM_TEST.replace('tab.back()', 'tab.bakc()');
    await writeFile(join(directory, 'wrong.test.mts'), wrong);
    expect(await complaintsAbout(directory, 'wrong.test.mts')).toMatch(/^wrong\.test\.mts.*'bakc'/);
    const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', 'sum.test.mts'], {
      cwd: directory,
      env,
    });
    expect(stdout).toContain('# pass 1');
  }, 60_000);

  test('has a doctor that finds every wall that this machine has', async () => {
    const { stdout } = await run('npx', ['custodian', 'doctor', '--json'], { cwd: directory, env });
    expect(JSON.parse(stdout)).toMatchObject({ isAble: true });
  });
});
