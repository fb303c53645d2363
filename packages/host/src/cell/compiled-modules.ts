import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { LeaseOrder, Persistence } from '@custodian/protocol';
import type { ModuleSources, ModuleTexts } from './module-sources.ts';

/** Longer is no module. */
const CODE_MAX_CHARS = 8 << 20;
/** What is compiled ahead of a thread, beyond its caps: some 8,000 lines. */
const AHEAD_MAX_CHARS = 256 << 10;
/** Of other files only Node knows whether they are ES modules. */
const ES_MODULE = /\.(?:mjs|m?ts)$/;
const WARNINGS_MAX_COUNT = 100;
const WARNING_MAX_CHARS = 8 << 10;

/** What a thread is told of its servlet's modules: see CompileTask of the worker. */
export interface CompileOrder {
  root: string;
  compiledPackages: readonly string[];
  packages: Readonly<Record<string, string>>;
  code: Record<string, string>;
  warnings: string[];
  /** What was compiled ahead of the thread. */
  ahead: CompiledAhead[];
  port: MessagePort | null;
  persistence: Persistence | null;
  /** Which one it is: what another has made does not run here. */
  compiler: string;
  /** It is an older version of the servlet, whose code is all here. */
  isOldVersion: boolean;
}

/** What is still to be compiled for a thread, and how. */
export interface ModulesToCompile extends Pick<CompileOrder, 'root' | 'compiledPackages' | 'persistence'> {
  modules: ({ url: string } & ModuleTexts)[];
}

/** What the worker's `compileAhead()` makes of one of them. */
export interface CompiledAhead {
  url: string;
  stripped: string;
  code: string;
  warnings: string[];
}

/** What is still to be compiled, by URL: of which texts, and the file for it. */
type Missing = Map<string, { file: string; texts: ModuleTexts }>;

interface Compiled {
  code: string;
  warnings: string[];
}

/**
 * What threads have compiled, kept on disk. A guest's thread can't write there; it compiles what is missing, within
 * its own caps, and offers the result to its supervisor. A guest may offer anything: what it offers is kept under its
 * own name, for a module that it was asked for, and given to threads of that servlet only.
 */
export class CompiledModules {
  readonly #cacheDir: string;
  readonly #sources: ModuleSources;
  readonly #compiler: string;
  readonly #packages: Readonly<Record<string, string>>;
  /** Warnings are given to the first thread of a cell. */
  readonly #reported = new Set<string>();
  readonly #missing = new WeakMap<CompileOrder, Missing>();
  /** Where threads offer it. */
  readonly #ports = new WeakMap<Missing, MessagePort>();
  #version: string | null = null;

  /** `compiler`: URL of its entry. `packages`: where those are that it imports. */
  constructor(cacheDir: string, sources: ModuleSources, compiler: string, packages: Readonly<Record<string, string>>) {
    this.#cacheDir = join(cacheDir, 'compiled');
    this.#sources = sources;
    this.#compiler = compiler;
    this.#packages = packages;
    mkdirSync(this.#cacheDir, { recursive: true });
  }

  /** The stripped sources of the compiler, for a thread that needs it. */
  get compilerSources(): Record<string, string> {
    return this.#sources.collect(this.#compiler);
  }

  /** What one version of the compiler and of Node has made, no other runs. */
  get #compilerVersion(): string {
    if (this.#version === null) {
      const hash = createHash('sha256').update(process.version);
      for (const url of Object.values(this.#packages)) hash.update(url);
      for (const source of this.#sources.sourcesOf(this.#compiler)) hash.update(source);
      this.#version = hash.digest('hex');
    }
    return this.#version;
  }

  /**
   * null: the servlet asks for no continuations. With a port if anything is still to be compiled; of a package, that is also what
   * nobody imports.
   */
  orderFor(lease: LeaseOrder): CompileOrder | null {
    const { servletUrl, servletName, compiledPackages, persistence: asked } = lease;
    const root = new URL('.', servletUrl).href;
    const common = (): Pick<CompileOrder, 'root' | 'compiledPackages' | 'packages' | 'compiler' | 'ahead' | 'port'> => {
      const compiler = this.#compilerVersion;
      return { root, compiledPackages, packages: this.#packages, compiler, ahead: [], port: null };
    };
    const old = lease.versionFile === null ? null : this.#oldVersion(lease.versionFile, root);
    if (old !== null) return { ...common(), ...old, warnings: [], isOldVersion: true };
    const own = this.#sources.suspendingModules(servletUrl, root, compiledPackages);
    if (own === null) return null;
    const persistence = asked ?? this.#sources.persistenceOf(servletUrl);
    const order: CompileOrder = { ...common(), code: {}, warnings: [], persistence, isOldVersion: false };
    const missing: Missing = new Map();
    for (const [url, texts] of own) {
      const file = this.#fileFor([servletName, url, texts.text, persistence ?? 'kept']);
      const compiled = isNodesUrl(url) ? readCompiled(file) : null;
      if (compiled === null) missing.set(url, { file, texts });
      else {
        order.code[url] = compiled.code;
        if (!this.#reported.has(file)) order.warnings.push(...compiled.warnings);
      }
      this.#reported.add(file);
    }
    if (missing.size > 0) order.port = this.#portFor(missing);
    this.#missing.set(order, missing);
    return order;
  }

  /** What is still to be compiled for that order, or as much of it as others may do. */
  toCompile(order: CompileOrder): ModulesToCompile {
    const { root, compiledPackages, persistence } = order;
    const modules: ModulesToCompile['modules'] = [];
    let chars = 0;
    for (const [url, { texts }] of this.#missing.get(order) ?? []) {
      if (!ES_MODULE.test(url) || !isNodesUrl(url)) continue;
      if ((chars += texts.text.length) > AHEAD_MAX_CHARS) break;
      modules.push({ url, ...texts });
    }
    return { root, compiledPackages, persistence, modules };
  }

  /** Keeps what this process itself has compiled ahead of the thread, also if the thread comes to import it never. */
  keepAhead(order: CompileOrder): void {
    const missing = this.#missing.get(order);
    for (const { url, code, warnings } of order.ahead) {
      const wanted = missing?.get(url);
      if (wanted === undefined) continue;
      missing?.delete(url);
      writeCompiled(wanted.file, { code, warnings });
    }
    if (missing?.size === 0) this.#ports.get(missing)?.close();
  }

  /** null: it is gone meanwhile, or another compiler has made it. */
  #oldVersion(file: string, root: string): Pick<CompileOrder, 'code' | 'persistence'> | null {
    try {
      const { compiler, code, persistence } = JSON.parse(readFileSync(file, 'utf8')) as CompileOrder;
      if (compiler !== this.#compilerVersion) return null;
      const byUrl = Object.entries(code).map(([url, text]) => [new URL(url, root).href, text]);
      return { code: Object.fromEntries(byUrl) as CompileOrder['code'], persistence };
    } catch {
      return null;
    }
  }

  /** Takes each missing module once. */
  #portFor(missing: Missing): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#ports.set(missing, port1);
    port1.on('message', (offer: unknown) => {
      const { url, code, warnings, text, stripped } = (offer ?? {}) as Partial<Record<string, unknown>>;
      const wanted = typeof url === 'string' ? missing.get(url) : undefined;
      if (wanted === undefined || typeof code !== 'string' || code.length > CODE_MAX_CHARS) return;
      // The thread has read the file later: what was edited by then would be kept as what it was before.
      if (text !== wanted.texts.text || stripped !== wanted.texts.stripped) return;
      missing.delete(url as string);
      if (missing.size === 0) port1.close();
      writeCompiled(wanted.file, { code, warnings: checkedWarnings(warnings) });
    });
    port1.unref();
    return port2;
  }

  /** The file of what was compiled for that servlet, of that module and text, in that way. */
  #fileFor(key: readonly string[]): string {
    const hash = createHash('sha256');
    for (const part of [this.#compilerVersion, ...key]) hash.update(`${part.length}\0${part}`);
    return join(this.#cacheDir, `${hash.digest('hex')}.json`);
  }
}

function checkedWarnings(warnings: unknown): string[] {
  if (!Array.isArray(warnings)) return [];
  return warnings
    .slice(0, WARNINGS_MAX_COUNT)
    .filter((warning) => typeof warning === 'string')
    .map((warning: string) => warning.slice(0, WARNING_MAX_CHARS));
}

/** Node knows a module by where its file really is. The thread asks it for none of those that it is given. */
function isNodesUrl(url: string): boolean {
  const { search, hash } = new URL(url);
  return `${pathToFileURL(realpathSync(fileURLToPath(url))).href}${search}${hash}` === url;
}

function readCompiled(file: string): Compiled | null {
  try {
    const { code, warnings } = JSON.parse(readFileSync(file, 'utf8')) as Compiled;
    return typeof code === 'string' && Array.isArray(warnings) ? { code, warnings } : null;
  } catch {
    return null;
  }
}

function writeCompiled(file: string, compiled: Compiled): void {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, JSON.stringify(compiled));
    renameSync(draft, file);
  } catch {
    // A cache that can't be written costs time, not correctness.
  }
}
