import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  compileAhead,
  type CompiledAhead,
  type CompiledModule,
  type CompileTask,
  type OfferedModule,
} from '../../../packages/worker/src/servlet/compile-hook.ts';
import { COMPILER_PACKAGES } from '../../../packages/worker/src/servlet/compiler-packages.ts';

const at = (file: string): string =>
  JSON.stringify(new URL(`../../../packages/worker/src/${file}`, import.meta.url).href);

const byUrl = (a: CompiledModule, b: CompiledModule): number => (a.url < b.url ? -1 : 1);

/** What a thread says that imports `main.ts`, runs it up to its first suspension, and goes on with 'x'. */
interface Said {
  stack: string;
  compiled: CompiledModule[];
  /** What the offers say that it was made of. */
  texts: Record<string, string[]>;
}

describe('installCompiler()', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'servlet-'));
    mkdirSync(join(directory, 'own'));
    mkdirSync(join(directory, 'own', 'node_modules', 'library'), { recursive: true });
    const write = (file: string, text: string): void => writeFileSync(join(directory, file), text);
    write(
      'own/main.ts',
      `import { capture } from ${at('continuation/runtime.ts')};\nimport { fail } from './part.ts';\nimport { native } from 'library';\nimport { outside } from '../outside.mjs';\ninterface Unused { a: string }\nexport async function start(): Promise<void> {\n  const x: unknown = await capture(() => 'page');\n  await native(); await outside();\n  fail(x as string);\n}\n`,
    );
    write(
      'own/part.ts',
      "const late = async () => { await null; };\nexport function fail(x: string): never {\n  void late;\n  throw new Error('late ' + x);\n}\n",
    );
    write(
      'own/node_modules/library/package.json',
      '{ "name": "library", "type": "module", "exports": "./index.js", "version": "1.0.0" }',
    );
    write('own/node_modules/library/index.js', 'export async function native() { await null; }\n');
    write('outside.mjs', 'export async function outside() { await null; }\n');
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const urlOf = (file: string): string => pathToFileURL(join(directory, file)).href;

  async function run(code: Record<string, string>, ahead: CompiledAhead[] = [], servlet = 'own'): Promise<Said> {
    const script = `
      const { parentPort, workerData } = await import('node:worker_threads');
      const { installCompiler } = await import(${at('servlet/compile-hook.ts')});
      const { prompt, resume } = await import(${at('continuation/runtime.ts')});
      installCompiler(workerData);
      const { start } = await import(${JSON.stringify(urlOf(`${servlet}/main.ts`))});
      const said = await prompt(start).catch((error) => error.stack);
      parentPort.postMessage(said.continuation === undefined ? said : await resume(said.continuation, 'x').catch((error) => error.stack));`;
    const { port1, port2 } = new MessageChannel();
    const task: CompileTask = {
      root: urlOf(`${servlet}/`),
      compiledPackages: [],
      packages: COMPILER_PACKAGES,
      code,
      warnings: [],
      ahead,
      port: port2,
      persistence: null,
      compiler: 'this',
      isOldVersion: false,
    };
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
      workerData: task,
      transferList: [port2],
    });
    const stack = await new Promise<string>((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
    const compiled: CompiledModule[] = [];
    const texts: Record<string, string[]> = {};
    for (let offer; (offer = receiveMessageOnPort(port1)) !== undefined;) {
      const { text, stripped, ...each } = offer.message as OfferedModule;
      compiled.push(each);
      texts[each.url] = [text, stripped];
    }
    port1.close();
    return { stack, compiled, texts };
  }

  test("compiles the servlet's own modules and no others, maps their stacks, and offers what it made", async () => {
    const { stack, compiled, texts } = await run({});
    expect(stack).toMatch(/Error: late x\n.*fail.*part\.ts:4:9\)?\n.*main\.ts:9:3/);
    expect(compiled.map(({ url }) => url).sort()).toEqual([urlOf('own/main.ts'), urlOf('own/part.ts')]);
    expect(compiled.every(({ code, warnings }) => code.includes('sourceMappingURL') && warnings.length === 0)).toBe(
      true,
    );
    const text = readFileSync(join(directory, 'own/part.ts'), 'utf8');
    expect(texts[urlOf('own/part.ts')]).toEqual([text, stripTypeScriptTypes(text)]);
  });

  test('what was compiled before runs as it is without a look at the disk, and is offered no more', async () => {
    const { compiled } = await run({});
    const code = Object.fromEntries(compiled.map((module) => [module.url, module.code]));
    const [part, away] = [join(directory, 'own/part.ts'), join(directory, 'part-away.ts')];
    renameSync(part, away);
    const again = await run(code).finally(() => renameSync(away, part));
    expect(again.compiled).toEqual([]);
    expect(again.stack).toMatch(/Error: late x\n.*fail.*part\.ts:4:9\)?\n.*main\.ts:9:3/);
  });

  test('what was compiled ahead is what the thread would make, is run in its place and not offered; what was made of another text is not', async () => {
    const alone = await run({});
    const modules = ['own/main.ts', 'own/part.ts'].map((file) => {
      const text = readFileSync(join(directory, file), 'utf8');
      return { url: urlOf(file), text: `\uFEFF${text}`, stripped: stripTypeScriptTypes(text) };
    });
    const broken = { url: urlOf('own/broken.ts'), text: '(', stripped: '(' };
    const order = { root: urlOf('own/'), compiledPackages: [], persistence: null, modules: [broken, ...modules] };
    const ahead = compileAhead(order);
    expect(ahead.map(({ url, code, warnings }) => ({ url, code, warnings })).sort(byUrl)).toEqual(
      alone.compiled.sort(byUrl),
    );
    const taken = await run({}, ahead);
    expect(taken.stack).toBe(alone.stack);
    expect(taken.compiled).toEqual([]);
    const edited = await run(
      {},
      ahead.map((each) => ({ ...each, stripped: `${each.stripped} ` })),
    );
    expect(edited.compiled.sort(byUrl)).toEqual(alone.compiled);
  });

  test('a mark of byte order counts for nothing, ahead of the thread either', async () => {
    mkdirSync(join(directory, 'marked'));
    const sources = {
      'main.ts': `import { fail } from './part.mjs';\nexport const start = async (x?: string) => { await null; fail(x); };\n`,
      'part.mjs': `export function fail() { throw new Error('late x'); }\nexport const late = async () => { await null; };\n`,
    };
    for (const [file, text] of Object.entries(sources)) writeFileSync(join(directory, 'marked', file), `\uFEFF${text}`);
    const alone = await run({}, [], 'marked');
    const modules = Object.keys(sources).map((file) => {
      const text = readFileSync(join(directory, 'marked', file), 'utf8');
      return {
        url: urlOf(`marked/${file}`),
        text,
        stripped: file.endsWith('.ts') ? stripTypeScriptTypes(text) : text,
      };
    });
    const ahead = compileAhead({ root: urlOf('marked/'), compiledPackages: [], persistence: null, modules });
    expect(ahead.map(({ url, code, warnings }) => ({ url, code, warnings })).sort(byUrl)).toEqual(
      alone.compiled.sort(byUrl),
    );
    expect((await run({}, ahead, 'marked')).compiled).toEqual([]);
  });
});
