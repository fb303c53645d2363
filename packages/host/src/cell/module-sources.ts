import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { importsSuspension, type Persistence, persistenceOf } from '@custodian/protocol';

/** Relative imports, static and dynamic, by their text: one too many costs a look, one too few a slower start. */
const RELATIVE_IMPORT = /(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;
const TYPESCRIPT = /\.m?ts$/;
const MODULE = /(?<!\.d)\.m?[jt]s$/;

/** Which of a package's modules are imported only its thread finds out. `directory`: a `file:` URL that ends in a slash. */
function modulesIn(directory: string): string[] {
  return readdirSync(new URL(directory), { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile() && MODULE.test(each.name))
    .map((each) => pathToFileURL(join(each.parentPath, each.name)).href)
    .filter((url) => !url.slice(directory.length).includes('node_modules/'));
}

/** A module as its author wrote it, without a mark of byte order, and without its types. */
export interface ModuleTexts {
  text: string;
  stripped: string;
}

interface Module {
  /** Of its file. */
  version: string;
  /** As the author wrote it; null: not read, since all else was known. */
  text: string | null;
  /** Without its types. */
  source: string;
  imports: string[];
  /** It imports what needs continuations. */
  isSuspending: boolean;
}

/**
 * The JavaScript of TypeScript modules, kept on disk by the hash of their text. Only supervisors write there: a guest
 * that could would write what others run.
 */
export class ModuleSources {
  readonly #cacheDir: string;
  readonly #aliases: Readonly<Record<string, string>>;
  readonly #modules: Map<string, Module>;
  readonly #directories: readonly string[];
  readonly #runtimeFile: string;
  readonly #stripTypes: (text: string) => string;
  /** Of the runtime's modules, more is known than the file says. */
  #isRuntimeNews = false;

  /** `aliases`: modules of the runtime that are imported by a bare name, as `file:` URLs. */
  constructor(
    cacheDir: string,
    aliases: Readonly<Record<string, string>>,
    stripTypes: (text: string) => string = (text) => stripTypeScriptTypes(text),
  ) {
    this.#stripTypes = stripTypes;
    this.#cacheDir = join(cacheDir, 'modules');
    this.#aliases = aliases;
    this.#directories = Object.values(aliases).map((url) => new URL('.', url).href);
    mkdirSync(this.#cacheDir, { recursive: true });
    const where = createHash('sha256')
      .update(`${process.version}\0${this.#directories.join('\0')}`)
      .digest('hex');
    this.#runtimeFile = join(this.#cacheDir, `${where}.json`);
    this.#modules = readModules(this.#runtimeFile);
  }

  /**
   * Keeps what is known of the runtime's modules in one file: to read, hash and search a hundred of them cost each cell a
   * fifth of its start.
   */
  save(): void {
    if (!this.#isRuntimeNews) return;
    this.#isRuntimeNews = false;
    const known = Array.from(this.#modules).filter(([url]) => this.isRuntime(url));
    writeWhole(this.#runtimeFile, JSON.stringify(known.map(([url, module]) => [url, { ...module, text: null }])));
  }

  /**
   * The stripped sources, by URL, of a module and all that it imports by relative paths; of the runtime's also what is
   * JavaScript. What can't be read or stripped is left out: the thread will meet the error where its author can see it.
   * `root`: a guest may not read what lies elsewhere, and has it from nobody else either.
   */
  collect(
    entry: string,
    into: Record<string, string> = {},
    seen: Set<string> = new Set(Object.keys(into)),
    root = '',
  ): Record<string, string> {
    const isClosed = !entry.startsWith(root) && !this.isRuntime(entry);
    const module = isClosed || seen.has(entry) ? null : this.#module(entry);
    if (module === null) return into;
    seen.add(entry);
    if (TYPESCRIPT.test(entry) || this.isRuntime(entry)) into[entry] = module.source;
    for (const imported of module.imports) this.collect(imported, into, seen, root);
    return into;
  }

  /** The sources of a module and all that it imports by relative paths, whatever they are written in. */
  sourcesOf(entry: string, seen: Map<string, string> = new Map()): Iterable<string> {
    const module = seen.has(entry) ? null : this.#module(entry);
    if (module !== null) {
      seen.set(entry, module.source);
      for (const imported of module.imports) this.sourcesOf(imported, seen);
    }
    return seen.values();
  }

  /** How the servlet of that module wants its pages to outlive their thread, as far as the module says. */
  persistenceOf(entry: string): Persistence | null {
    const module = this.#module(entry);
    return module === null ? null : persistenceOf(module.source);
  }

  /**
   * The texts of a servlet's own modules, by URL, if any of them asks for continuations: those in `root` or below, and
   * all of `packages`, but of no other. What is imported by a computed path is not known here.
   */
  suspendingModules(entry: string, root: string, packages: readonly string[]): Map<string, ModuleTexts> | null {
    const own = new Map<string, ModuleTexts>();
    let isSuspending = false;
    const visit = (url: string): void => {
      if (own.has(url) || !url.startsWith(root) || url.slice(root.length).includes('node_modules/')) return;
      const module = this.#module(url);
      if (module === null) return;
      own.set(url, textsOf(url, module));
      isSuspending ||= module.isSuspending;
      for (const imported of module.imports) visit(imported);
    };
    visit(entry);
    for (const url of packages.flatMap((each) => modulesIn(each))) {
      const module = this.#module(url);
      if (module === null) continue;
      own.set(url, textsOf(url, module));
      isSuspending ||= module.isSuspending;
    }
    return isSuspending ? own : null;
  }

  /** Is it one of those that are imported by a bare name, or beside one? */
  isRuntime(url: string): boolean {
    return this.#directories.some((directory) => url.startsWith(directory));
  }

  #module(url: string): Module | null {
    try {
      const path = new URL(url);
      const stat = statSync(path);
      // npm gives all files one time of change; the other time is the system's own.
      const version = `${stat.mtimeMs} ${stat.ctimeMs} ${stat.size}`;
      let module = this.#modules.get(url);
      if (module === undefined || module.version !== version) {
        const text = readText(path);
        const source = TYPESCRIPT.test(url) ? this.#strip(text) : text;
        // Not of the author's text: imports of types are gone in the source.
        const imports = this.#importsOf(source, url);
        module = { version, text, source, imports, isSuspending: importsSuspension(source) };
        this.#modules.set(url, module);
        this.#isRuntimeNews ||= this.isRuntime(url);
      }
      return module;
    } catch {
      return null;
    }
  }

  #strip(text: string): string {
    const file = join(this.#cacheDir, `${createHash('sha256').update(process.version).update(text).digest('hex')}.js`);
    try {
      return readFileSync(file, 'utf8');
    } catch {
      const stripped = this.#stripTypes(text);
      writeWhole(file, stripped);
      return stripped;
    }
  }

  #importsOf(text: string, base: string): string[] {
    const imports = Array.from(text.matchAll(RELATIVE_IMPORT), (match) => new URL(match[1] as string, base).href);
    for (const [name, url] of Object.entries(this.#aliases))
      if (text.includes(`'${name}'`) || text.includes(`"${name}"`)) imports.push(url);
    return imports;
  }
}

function textsOf(url: string, { text, source }: Module): ModuleTexts {
  return { text: text ?? readText(new URL(url)), stripped: source };
}

/** As threads read it. */
function readText(path: URL): string {
  return new TextDecoder().decode(readFileSync(path));
}

function readModules(file: string): Map<string, Module> {
  try {
    return new Map(JSON.parse(readFileSync(file, 'utf8')) as [string, Module][]);
  } catch {
    return new Map();
  }
}

/** Others read the old file or the new one, never half of it. */
function writeWhole(file: string, text: string): void {
  const partial = `${file}.${process.pid}`;
  try {
    writeFileSync(partial, text);
    renameSync(partial, file);
  } catch {
    // In a jail it can only be read, which costs time.
  }
}
