import type { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as vmModule from 'node:vm';
import { DeniedError } from './errors.ts';
import { table } from './originals.ts';

/** What is left of Node's `module` for a CommonJS module of a guest. */
interface Module {
  id: string;
  filename: string;
  exports: unknown;
  loaded: boolean;
  children: never[];
  paths: never[];
}

/** What the loader is made of, taken before the guest runs. */
export interface CommonJsTools {
  createRequire: typeof createRequire;
  vm: typeof vmModule;
  readFile: (path: string) => string;
  /** By its name, with or without `node:`. */
  isBuiltin: (name: string) => boolean;
  builtin: (name: string) => unknown;
  /** May a guest load this module? @throws DeniedError */
  check: (url: string) => void;
  /** Where the library is that every servlet imports by its name. */
  library: { name: string; url: string };
}

type Require = ((specifier: string) => unknown) & {
  resolve(specifier: string): string;
  cache: object;
  extensions: object;
};

const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];

/**
 * Loads CommonJS packages for a guest. Node's own loader hands every module the class of modules, with which a guest
 * could load whatever it likes; this one does no more than these packages need.
 */
export class CommonJs {
  readonly #tools: CommonJsTools;
  readonly #modules = table<Module>();
  /** Node's own: loads ES modules at once. */
  readonly #requireModule: NodeJS.Require;

  constructor(tools: CommonJsTools) {
    this.#tools = tools;
    this.#requireModule = tools.createRequire(import.meta.url);
  }

  /** The exports of a module, which is run when it is asked for first. `from`: a path or URL, that its paths count from. */
  requireFrom(from: string | URL): Require {
    const { createRequire, isBuiltin, builtin, library } = this.#tools;
    const { resolve: find } = createRequire(from);
    const resolve = (specifier: string): string => {
      const name = String(specifier);
      if (isBuiltin(name)) return name;
      return name === library.name ? fileURLToPath(library.url) : find(name);
    };
    const load = (specifier: string): unknown => {
      const found = resolve(specifier);
      return isBuiltin(found) ? builtin(found) : this.load(found);
    };
    return Object.assign(load, { resolve, cache: {}, extensions: {} });
  }

  /** The exports of the module at this path. */
  load(path: string): unknown {
    const url = pathToFileURL(path).href;
    this.#tools.check(url);
    const known = this.#modules[path];
    if (known !== undefined) return known.exports;
    if (path.endsWith('.node')) throw new DeniedError(`Cannot load "${path}": a guest may load no native code`);
    if (/\.m[jt]s$/.test(path)) return this.#requireModule(path);
    const module: Module = { id: path, filename: path, exports: {}, loaded: false, children: [], paths: [] };
    this.#modules[path] = module;
    try {
      const source = this.#tools.readFile(path);
      if (path.endsWith('.json')) module.exports = JSON.parse(source);
      else this.#run(module, source);
      module.loaded = true;
    } catch (error) {
      delete this.#modules[path];
      throw error;
    }
    return module.exports;
  }

  #run(module: Module, source: string): void {
    const { compileFunction, constants } = this.#tools.vm;
    const { filename } = module;
    let body: Function;
    try {
      body = compileFunction(source.replace(/^#!/, '//'), PARAMETERS, {
        filename,
        importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      });
    } catch (error) {
      // By its text it may be an ES module, which only the other loader can tell.
      if (!(error instanceof SyntaxError)) throw error;
      module.exports = this.#requireModule(filename);
      return;
    }
    const directory = fileURLToPath(new URL('.', pathToFileURL(filename))).replace(/[/\\]$/, '');
    Reflect.apply(body, module.exports, [module.exports, this.requireFrom(filename), module, filename, directory]);
  }
}

/** An ES module with the exports of a CommonJS one. `loader`: URL of a module that exports `commonjs`. */
export function asModule(path: string, exports: unknown, loader: string): string {
  const isBag = (typeof exports === 'object' || typeof exports === 'function') && exports !== null;
  const names = isBag ? Object.keys(exports).filter((name) => name !== 'default') : [];
  return [
    `import { commonjs } from ${JSON.stringify(loader)};`,
    `const exports = commonjs(${JSON.stringify(path)});`,
    ...names.map((name, at) => `const v${at} = exports[${JSON.stringify(name)}];`),
    `export { exports as default, exports as 'module.exports'${names.map((name, at) => `, v${at} as ${JSON.stringify(name)}`).join('')} };`,
  ].join('\n');
}
