import { readFileSync } from 'node:fs';
import {
  createRequire,
  type LoadFnOutput,
  registerHooks,
  setSourceMapsSupport,
  stripTypeScriptTypes,
} from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import type { Persistence } from '@custodian/protocol';
import { OldModuleError } from '../version/old-module-error.ts';
import { setCompiledPackages } from '../continuation/errors.ts';
import type * as Compiler from '../continuation/compile/compile.ts';

/** How the modules of a servlet with continuations come to be compiled. */
export interface CompileTask {
  /** `file:` URL of the servlet's directory: its own modules, and only they, are compiled. */
  root: string;
  /** `file:` URLs, ending in a slash, of packages that are compiled as well. */
  compiledPackages: readonly string[];
  /** Where the compiler's own packages are, by name. */
  packages: Readonly<Record<string, string>>;
  /** What was compiled before, by the URL that Node knows the module by. */
  code: Record<string, string>;
  /** What was said about it. */
  warnings: string[];
  /** What was compiled ahead of this thread, and is kept already. */
  ahead: readonly CompiledAhead[];
  /** Takes what is compiled here, as {@link OfferedModule}; null when nothing is missing. */
  port: MessagePort | null;
  /** Not null: continuations are to be saved. */
  persistence: Persistence | null;
  /** Names the compiler, for versions that are kept. */
  compiler: string;
  /** What is run is not what the files hold now: all of it is in `code`. */
  isOldVersion: boolean;
}

/** What has become of a module. */
export interface CompiledModule {
  url: string;
  code: string;
  warnings: string[];
}

/** What a module's compilation depends on besides its text. */
type Way = Pick<CompileTask, 'root' | 'compiledPackages' | 'persistence'>;

/** A module whose servlet's thread is still on its way. */
export interface ToCompile {
  url: string;
  /** As its author wrote it. */
  text: string;
  /** Without its types. */
  stripped: string;
}

/** What a thread offers its supervisor to keep, for this servlet and no other, and for these texts. */
export type OfferedModule = CompiledModule & ToCompile;

/** The modules, and what {@link CompileTask} says of how they are compiled. */
export interface AheadOrder extends Way {
  modules: readonly ToCompile[];
}

export interface CompiledAhead extends CompiledModule {
  /** What it was compiled of. */
  stripped: string;
}

const RUNTIME = new URL('..', import.meta.url).href;
// `.ts` in a checkout, `.js` in a package.
const EXTENSION = extname(import.meta.url);
const EMITTED = new URL(`../continuation/emitted${EXTENSION}`, import.meta.url).href;
const MODULE = /\.m?[jt]s(?:\?|$)/;

/**
 * From now on, this thread compiles the servlet's modules as they are imported, within its caps. `onCompiled` is called after each: all
 * that a module imports comes in the same turn of the event loop, and leaves garbage.
 */
export function installCompiler(task: CompileTask, onCompiled: () => void = () => {}): void {
  const { root, compiledPackages, packages, code, warnings, port, isOldVersion } = task;
  const ahead = new Map(task.ahead.map((each) => [each.url, each]));
  setCompiledPackages(compiledPackages);
  setSourceMapsSupport(true, { nodeModules: compiledPackages.length > 0, generatedCode: false });
  for (const warning of warnings) console.warn(warning);
  const run = (compiled: CompiledModule): LoadFnOutput => {
    for (const warning of compiled.warnings) console.warn(warning);
    code[compiled.url] = compiled.code;
    return { format: 'module', source: compiled.code, shortCircuit: true };
  };
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const url = packages[specifier];
      // Node would look for each on disk, at every directory above it too; and the file of an old version may be gone.
      const own = ownUrl(specifier, context.parentURL);
      if (own !== null && code[own] !== undefined) return { url: own, format: 'module', shortCircuit: true };
      return url !== undefined && context.parentURL?.startsWith(RUNTIME)
        ? { url, shortCircuit: true }
        : nextResolve(specifier, context);
    },
    load(url, context, nextLoad) {
      const opted = compiledPackages.find((each) => isOwn(url, each));
      if (opted === undefined && !isOwn(url, root)) return nextLoad(url, context);
      const known = code[url];
      if (known !== undefined) return { format: 'module', source: known, shortCircuit: true };
      if (isOldVersion) throw new OldModuleError(fileURLToPath(url));
      const loaded = nextLoad(url, context);
      if (loaded.format !== 'module' && loaded.format !== 'module-typescript') {
        if (opted !== undefined && loaded.format?.startsWith('commonjs')) warnOfCommonJs(url);
        return loaded;
      }
      const text = textOf(loaded.source);
      const stripped = loaded.format === 'module' ? text : stripTypeScriptTypes(text);
      const made = ahead.get(url);
      // The file may have been another by then.
      if (made?.stripped === stripped) return run(made);
      const original = textOf(readFileSync(fileURLToPath(url)));
      const compiled = compileOwn(task, url, stripped, original);
      port?.postMessage({ ...compiled, text: original, stripped } satisfies OfferedModule);
      onCompiled();
      return run(compiled);
    },
  });
}

/**
 * Does what the hook of {@link installCompiler} would do, in a thread that has compiled before and is quicker at it. What can't be compiled is
 * left out: the servlet's own thread meets the error where its author can see it.
 */
export function compileAhead(order: AheadOrder): CompiledAhead[] {
  return order.modules.flatMap(({ url, ...module }) => {
    try {
      const [original, stripped] = [textOf(module.text), textOf(module.stripped)];
      return [{ ...compileOwn(order, url, stripped, original), stripped }];
    } catch {
      return [];
    }
  });
}

function compileOwn(way: Way, url: string, stripped: string, original: string): CompiledModule {
  const compiled = compileModule(url, stripped, { original, savedAs: savedName(url, way) });
  // A package's author is somebody else; and every page of a stateless servlet has a copy of what others share.
  if (way.persistence === 'stateless' || way.compiledPackages.some((each) => isOwn(url, each))) compiled.warnings = [];
  return compiled;
}

/** What a relative specifier, or an URL, comes to if its file is no link. */
function ownUrl(specifier: string, parent: string | undefined): string | null {
  return /^(?:\.{1,2}\/|file:)/.test(specifier) ? (URL.parse(specifier, parent)?.href ?? null) : null;
}

/** The same on every machine that has the servlet. */
function savedName(url: string, { root, compiledPackages, persistence }: Way): string | undefined {
  if (persistence === null) return undefined;
  const at = compiledPackages.findIndex((each) => isOwn(url, each));
  return at < 0 ? url.slice(root.length) : `package ${at}: ${url.slice(compiledPackages[at]!.length)}`;
}

function warnOfCommonJs(url: string): void {
  console.warn(
    `${fileURLToPath(url)} is CommonJS, and only ES modules are compiled: a suspension under its functions is an unsafe context`,
  );
}

/** Without the mark of byte order, which no position counts. */
function textOf(source: string | ArrayBuffer | NodeJS.TypedArray | undefined): string {
  return typeof source === 'string' ? source.replace(/^\uFEFF/, '') : new TextDecoder().decode(source);
}

/** It lies in the directory, and in no package and not in the runtime that may lie further down. */
function isOwn(url: string, directory: string): boolean {
  return (
    url.startsWith(directory) &&
    MODULE.test(url) &&
    !url.startsWith(RUNTIME) &&
    !url.slice(directory.length).includes('node_modules/')
  );
}

let compiler: typeof Compiler | null = null;

/**
 * `stripped`: the module without its types, every position kept. `original`: as its author wrote it, for maps and messages.
 * `savedAs`: the name by which saved continuations know the module, if there are to be any.
 */
export function compileModule(
  url: string,
  stripped: string,
  { original = stripped, savedAs }: { original?: string; savedAs?: string | undefined } = {},
): CompiledModule {
  // A hook can't wait for an import; and most threads find everything compiled.
  compiler ??= createRequire(import.meta.url)(`../continuation/compile/compile${EXTENSION}`) as typeof Compiler;
  const file = fileURLToPath(url);
  const { code, map, diagnostics } = compiler.compile(stripped, { file, runtime: EMITTED, original, savedAs });
  return {
    url,
    code: map === null ? code : `${code}\n//# sourceMappingURL=${map.toUrl()}\n`,
    warnings: diagnostics.map(
      (each) => `${file}:${each.line}:${each.column} ${each.code}: ${each.message}\n${each.frame}`,
    ),
  };
}
