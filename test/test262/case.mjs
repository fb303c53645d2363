// Runs single cases, each in a realm of its own. The parent sends batches; every result goes back at once, so that a crash loses one case.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import vm from 'node:vm';
import * as adapter from './adapter.mjs';
import { inject } from './inject.mjs';

process.on('unhandledRejection', () => {});
process.on('uncaughtException', () => {});
process.on('message', async ({ files, options }) => {
  for (const file of files) {
    process.send({ started: file });
    process.send({ file, result: await runFile(file, options) });
  }
});

async function runFile(file, options) {
  const source = readFileSync(join(options.root, 'test', file), 'utf8'),
    meta = readMeta(source),
    result = {};
  for (const mode of ['native', 'plain', 'stress']) {
    result[mode] = 'ok';
    for (const variant of variants(meta)) {
      const got = await run(source, { file, meta, variant, mode, options }).catch((error) => `runner: ${error.stack}`);
      if (got !== 'ok') {
        result[mode] = got === 'skip' ? 'skip' : `${variant}: ${got}`;
        break;
      }
    }
    if (mode === 'native' && result.native !== 'ok') break;
  }
  return result;
}

function readMeta(source) {
  const text = /\/\*---([\s\S]*?)---\*\//.exec(source)?.[1] ?? '';
  const list = (key) =>
    (new RegExp(`^${key}:\\s*(?:\\[([^\\]]*)\\]|\\n((?:[ \\t]+-.*\\n?)+))`, 'm').exec(text) ?? [])
      .slice(1)
      .join('')
      .split(/[,\n]/)
      .map((s) => s.replace(/^[\s-]+/, '').trim())
      .filter(Boolean);
  const negative = /^negative:/m.test(text) ? /^\s+type:\s*(\w+)/m.exec(text)[1] : null;
  return { flags: new Set(list('flags')), includes: list('includes'), negative };
}
const variants = ({ flags }) =>
  flags.has('module')
    ? ['module']
    : flags.has('raw')
      ? ['raw']
      : flags.has('onlyStrict')
        ? ['strict']
        : flags.has('noStrict')
          ? ['sloppy']
          : ['sloppy', 'strict'];

const harness = new Map();
function harnessScript(root, name) {
  if (!harness.has(name))
    harness.set(name, new vm.Script(readFileSync(join(root, 'harness', name), 'utf8'), { filename: name }));
  return harness.get(name);
}

async function run(original, { file, meta, variant, mode, options }) {
  let source = original;
  const { root, share, seed } = options,
    isInjected = share > 0,
    isStrict = variant === 'strict',
    isAsync = isInjected || meta.flags.has('async');
  if (isInjected) {
    if (
      meta.negative ||
      variant === 'module' ||
      variant === 'raw' ||
      meta.flags.has('async') ||
      meta.flags.has('CanBlockIsFalse')
    )
      return 'skip';
    source = inject(original, { file, share, seed, isStrict });
    if (source === null) return 'skip';
  }
  const context = vm.createContext({}),
    done = Promise.withResolvers();
  context.print = (text) => done.resolve(String(text));
  context.setTimeout = setTimeout;
  context.$262 = host(context);
  if (mode !== 'native') adapter.install(context, { stress: mode === 'stress' });
  const base =
    variant === 'raw' ? [] : ['assert.js', 'sta.js', ...(isAsync ? ['doneprintHandle.js'] : []), ...meta.includes];
  for (const name of new Set(base)) harnessScript(root, name).runInContext(context);
  const compile = (text, filename, sourceType) =>
    mode === 'native'
      ? text
      : adapter.transform262(text, { filename, sourceType, stress: mode === 'stress', saved: options.saved });
  const path = join(root, 'test', file);
  let thrown = null;
  try {
    if (variant === 'module') await runModule(source, path, context, compile);
    else
      new vm.Script(compile((isStrict ? '"use strict";\n' : '') + source, path, 'script'), {
        filename: file,
        importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      }).runInContext(context, { timeout: 5000 });
  } catch (error) {
    thrown = { error };
  }
  if (meta.negative)
    return !thrown
      ? `expected ${meta.negative}`
      : thrown.error.name === meta.negative
        ? 'ok'
        : `expected ${meta.negative}, got ${thrown.error.name}`;
  if (thrown) return `${thrown.error?.name}: ${thrown.error?.message ?? String(thrown.error)}`;
  if (!isAsync) return 'ok';
  const said = await Promise.race([done.promise, timeout()]);
  return said === 'Test262:AsyncTestComplete' ? 'ok' : said;
}

async function timeout() {
  for (let i = 0; i < 60; i++) await new Promise((r) => setImmediate(r));
  await new Promise((r) => setTimeout(r, 400));
  return 'no answer';
}

function host(context) {
  return {
    global: vm.runInContext('globalThis', context),
    agent: {},
    gc() {},
    evalScript: (text) => vm.runInContext(text, context),
    detachArrayBuffer: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
    createRealm() {
      const realm = vm.createContext({});
      return { global: vm.runInContext('globalThis', realm), evalScript: (text) => vm.runInContext(text, realm) };
    },
  };
}

async function runModule(source, path, context, compile) {
  const modules = new Map();
  const get = (at) => {
    if (!modules.has(at))
      modules.set(
        at,
        new vm.SourceTextModule(compile(at === path ? source : readFileSync(at, 'utf8'), at, 'module'), {
          context,
          identifier: at,
          importModuleDynamically: dynamic,
        }),
      );
    return modules.get(at);
  };
  const link = (specifier, from) => get(join(dirname(from.identifier), specifier));
  const dynamic = async (specifier, from) => {
    const module = get(join(dirname(from.identifier ?? path), specifier));
    if (module.status === 'unlinked') await module.link(link);
    await module.evaluate();
    return module;
  };
  const main = get(path);
  await main.link(link);
  await main.evaluate();
}
