import type { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as vmModule from 'node:vm';
import { DeniedError } from './errors.ts';
import { endsWith, isInstance, table } from './originals.ts';

/** What is left of Node's `module` for a CommonJS module of a guest. */
interface Module {
  id: string;
  filename: string;
  exports: unknown;
  loaded: boolean;
  children: never[];
  paths: never[];
}

interface Loading {
  module: Module;
  /** It is no CommonJS by its text. */
  syntaxError: SyntaxError | null;
}

/** What the loader is made of, taken before the guest runs. */
export interface CommonJsTools {
  createRequire: typeof createRequire;
  vm: typeof vmModule;
  readFile: (path: string) => string;
  stripTypes: (source: string) => string;
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

const { SyntaxError: NativeSyntaxError } = globalThis;
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];

/**
 * Loads CommonJS packages for a guest. Node's own loader hands every module the class of modules, with which a guest
 * could load whatever it likes; this one does no more than these packages need.
 */
export class CommonJs {
  readonly #tools: CommonJsTools;
  readonly #modules = table<Loading>();

  constructor(tools: CommonJsTools) {
    this.#tools = tools;
  }

  /** The exports of the module at this path, which has been loaded. */
  loaded(path: string): unknown {
    return this.#modules[path]?.module.exports;
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
    if (known !== undefined) {
      // Node's loader takes it for CommonJS as well: there is nobody left to ask.
      if (known.syntaxError !== null) throw known.syntaxError;
      return known.module.exports;
    }
    if (endsWith(path, '.node')) throw new DeniedError(`Cannot load "${path}": a guest may load no native code`);
    if (endsWith(path, '.mjs') || endsWith(path, '.mts')) return this.#requireModule(path);
    const module: Module = { id: path, filename: path, exports: {}, loaded: false, children: [], paths: [] };
    const loading: Loading = { module, syntaxError: null };
    this.#modules[path] = loading;
    try {
      const source = this.#tools.readFile(path);
      if (endsWith(path, '.json')) module.exports = JSON.parse(source);
      else this.#run(loading, source);
      module.loaded = true;
    } catch (error) {
      delete this.#modules[path];
      throw error;
    }
    return module.exports;
  }

  /** Node's own way, which loads ES modules at once: asked for by the guest's module itself, so that it gets no more than that may. */
  #requireModule(path: string): unknown {
    return this.#tools.createRequire(path)(path) as unknown;
  }

  #run(loading: Loading, source: string): void {
    const { module } = loading;
    const { filename } = module;
    let body: Function;
    try {
      body = this.#compile(filename, source);
    } catch (error) {
      // By its text it may be an ES module, which only the other loader can tell.
      if (!isInstance(error, NativeSyntaxError)) throw error;
      loading.syntaxError = error as SyntaxError;
      module.exports = this.#requireModule(filename);
      loading.syntaxError = null;
      return;
    }
    const directory = fileURLToPath(new URL('.', pathToFileURL(filename))).replace(/[/\\]$/, '');
    Reflect.apply(body, module.exports, [module.exports, this.requireFrom(filename), module, filename, directory]);
  }

  #compile(filename: string, source: string): Function {
    const { vm, stripTypes } = this.#tools;
    const isTyped = endsWith(filename, '.ts') || endsWith(filename, '.cts');
    return vm.compileFunction((isTyped ? stripTypes(source) : source).replace(/^#!/, '//'), PARAMETERS, {
      filename,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
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
