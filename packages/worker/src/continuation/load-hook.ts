import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, registerHooks, setSourceMapsSupport, stripTypeScriptTypes } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Diagnostic } from './compile/compile.ts';
import { compilerVersion } from './compile/version.ts';

export interface ServletLoaderOptions {
  /** The servlet's directory: its own modules, and only they, are compiled. */
  root: string;
  /** Where compiled modules are kept, by content hash; nothing is kept without it. */
  cacheDir?: string;
  /** npm packages that call back into suspending code, to be compiled as well (ES modules only). */
  packages?: readonly string[];
  onDiagnostic?: (file: string, diagnostic: Diagnostic) => void;
}

/** `.ts` in a checkout, `.js` in a published package. */
const ENDING = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const runtime = new URL(`./emitted${ENDING}`, import.meta.url).href;
const require = createRequire(import.meta.url);
// Part of every key; the compiler itself is loaded only when something is not in the cache.
const cacheVersion = `${compilerVersion} ${process.versions.node} ${runtime}`;

/**
 * Compiles the modules of a servlet as they are imported, in this thread from now on.
 * @returns how to stop doing so
 */
export function registerServletLoader(options: ServletLoaderOptions): { deregister(): void } {
  setSourceMapsSupport(true, { nodeModules: true, generatedCode: false });
  const isServlets = moduleFilter(options);
  return registerHooks({
    load(url, context, nextLoad) {
      const file = isServlets(url);
      if (!file || context.format?.startsWith('commonjs') || context.importAttributes?.['type'])
        return nextLoad(url, context);
      const source = readFileSync(file, 'utf8');
      // Node leaves the format open where no package.json settles it; what neither imports nor exports may be CommonJS.
      if (!context.format && !/^\s*(import|export)\b/m.test(source)) return nextLoad(url, context);
      const { code, diagnostics } = compileFile(file, source, options.cacheDir);
      for (const d of diagnostics) options.onDiagnostic?.(file, d);
      return { format: 'module', source: code, shortCircuit: true };
    },
  });
}

function moduleFilter({ root, packages = [] }: ServletLoaderOptions): (url: string) => string | null {
  const base = root.endsWith(sep) ? root : root + sep;
  return (url) => {
    if (!url.startsWith('file:')) return null;
    const file = fileURLToPath(url);
    if (!/\.m?[jt]s$/.test(file)) return null;
    const at = file.lastIndexOf(`${sep}node_modules${sep}`);
    if (at >= 0) return packages.some((p) => file.slice(at + 14).startsWith(p + sep)) ? file : null;
    return file.startsWith(base) ? file : null;
  };
}

interface CompiledFile {
  code: string;
  diagnostics: Diagnostic[];
}

/** Source text of a servlet's module to what Node evaluates: from the cache, or compiled and put there. */
export function compileFile(file: string, source: string, cacheDir?: string): CompiledFile {
  const cached = cacheDir
    ? join(cacheDir, `${createHash('sha256').update(`${cacheVersion}\0${file}\0${source}`).digest('hex')}.mjs`)
    : null;
  return (cached && readCache(cached)) || compileAndKeep(file, source, cached);
}

function compileAndKeep(file: string, source: string, cached: string | null): CompiledFile {
  const { compile } = require(`./compile/compile${ENDING}`) as typeof import('./compile/compile.ts');
  const stripped = file.endsWith('ts') ? stripTypeScriptTypes(source, { mode: 'strip' }) : source;
  const { code, map, diagnostics } = compile(stripped, { file, runtime, original: source });
  const result = { code: map ? `${code}\n//# sourceMappingURL=${map.toUrl()}\n` : code, diagnostics };
  if (cached) writeCache(cached, result);
  return result;
}

/** A cache entry is one line of JSON, then the code; the line tells the code's length, so that a torn file is not believed. */
function readCache(path: string): CompiledFile | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  const end = text.indexOf('\n');
  try {
    const head = JSON.parse(text.slice(0, end)) as { length: number; diagnostics: Diagnostic[] },
      code = text.slice(end + 1);
    return head.length === code.length ? { code, diagnostics: head.diagnostics } : null;
  } catch {
    return null;
  }
}

function writeCache(path: string, { code, diagnostics }: CompiledFile): void {
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(draft, `${JSON.stringify({ length: code.length, diagnostics })}\n${code}`);
    renameSync(draft, path);
  } catch {
    /* a cache that cannot be written costs time, not correctness */
  }
}
