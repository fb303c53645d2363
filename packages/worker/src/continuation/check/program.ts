import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ServletTooDeepError } from '../too-deep-error.ts';
import { analyse, type Analysis } from '../compile/analyse.ts';
import { children, type Node } from '../compile/ast.ts';
import { type Compiled, compile } from '../compile/compile.ts';
import { withinStack } from '../compile/depth.ts';
import type { FunctionMeta } from '../compile/functions.ts';
import { lift } from '../compile/lifting.ts';
import { parse, ServletSyntaxError } from '../compile/parse.ts';
import { SourceLines } from '../compile/source-lines.ts';
import type { Variable } from '../compile/scope.ts';
import { assignStorage, Names } from '../compile/storage.ts';

/** The library, by the names under which servlets import it. */
export const LIBRARY = '@custodian/worker';

/** Something that comes from outside of the servlet's own modules. */
export interface Foreign {
  /** What is imported from; null: it is a global. */
  from: string | null;
  /** `*`: the module itself. */
  name: string;
}
/** A variable of one of the servlet's own modules. */
export interface Own {
  module: CheckedModule;
  variable: Variable;
}
/** What a name leads to; null: nobody can tell. */
export type Target = Own | Foreign | null;

/** What is found in a module's tree: by the compiler's passes, and of who stands in whom. */
function analysed(root: Node): Pick<CheckedModule, 'analysis' | 'parents' | 'inits'> {
  const analysis = analyse(root, true, true),
    names = new Names(analysis.names);
  assignStorage(analysis, names, { isSaved: true });
  lift(analysis, names);
  const parents = new Map<Node, Node>(),
    inits = new Map<Variable, Node>();
  walk(root, (n, parent) => {
    if (parent) parents.set(n, parent);
    const value = n.type === 'VariableDeclarator' ? (n['init'] as Node | null) : isDeclared(n) ? n : null,
      variable = (n['id'] as Node | null | undefined)?.$ref?.variable;
    if (value && variable) inits.set(variable, value);
  });
  return { analysis, parents, inits };
}

/** A module of the servlet: its tree, with what the compiler's passes found. */
export class CheckedModule {
  readonly url: string;
  readonly file: string;
  /** As its author wrote it. */
  readonly original: string;
  readonly source: string;
  readonly root: Node;
  readonly analysis: Analysis;
  readonly parents: ReadonlyMap<Node, Node>;
  /** What each variable is first given, where one expression says so. */
  readonly inits: ReadonlyMap<Variable, Node>;
  readonly #program: Program;
  #compiled: Compiled | null = null;
  readonly #lines: SourceLines;

  /** @throws ServletSyntaxError, ServletTooDeepError */
  constructor(program: Program, url: string) {
    this.#program = program;
    this.url = url;
    this.file = fileURLToPath(url);
    // Positions do not count the mark of byte order, nor do Node's.
    this.original = readFileSync(this.file, 'utf8').replace(/^\ufeff/, '');
    this.source = /\.m?ts$/.test(url) ? withoutTypes(this.original, this.file) : this.original;
    this.#lines = new SourceLines(this.source);
    this.root = parse(this.source, this.file, 'module');
    const { analysis, parents, inits } = this.withinStack(() => analysed(this.root));
    this.analysis = analysis;
    this.parents = parents;
    this.inits = inits;
  }

  /** Runs a pass over the module. @throws ServletTooDeepError */
  withinStack<Result>(run: () => Result): Result {
    return withinStack(this.root, { file: this.file, source: this.original }, run);
  }

  /** @throws ServletCompileError for a suspension that can never work, ServletTooDeepError */
  get compiled(): Compiled {
    return (this.#compiled ??= compile(this.source, { file: this.file, original: this.original, savedAs: this.file }));
  }

  /** What the compiler made of an async function. */
  metaOf(fn: Node): FunctionMeta | undefined {
    const { line, column } = this.placeOf(fn);
    return this.compiled.functions.find((meta) => meta.line === line && meta.column === column);
  }

  /** Line and column, from 1. */
  placeOf(n: Node): { line: number; column: number } {
    return this.#lines.placeOf(n);
  }

  /** What a name stands for where it stands, through imports and exports. */
  target(name: Node): Target {
    if (name.type === 'MemberExpression') return this.#member(name);
    if (name.type !== 'Identifier' || !name.$ref) return null;
    const { variable } = name.$ref;
    return variable === null ? { from: null, name: name['name'] as string } : this.#program.follow(this, variable);
  }

  /** `fs.open`, `fs.promises.open`, `Promise.all`. */
  #member({ object, property, computed }: Node): Target {
    const of = computed ? null : this.target(object as Node);
    if (of === null || 'variable' in of) return null;
    const name = (property as Node)['name'] as string;
    if (of.from === null) return { from: null, name: `${of.name}.${name}` };
    return { from: of.from, name: of.name === '*' || of.name === 'default' ? name : `${of.name}.${name}` };
  }

  /** Where an export of this module comes from. */
  exported(name: string): Target {
    for (const n of this.root['body'] as Node[]) {
      if (n.type === 'ExportDefaultDeclaration' && name === 'default') return this.#default(n['declaration'] as Node);
      if (n.type === 'ExportAllDeclaration' && n['exported'] === null) {
        const found = this.#program.imported(this, n['source'].value as string)?.exported(name) ?? null;
        if (found !== null) return found;
      }
      if (n.type !== 'ExportNamedDeclaration') continue;
      for (const specifier of n['specifiers'] as Node[]) {
        if (nameOf(specifier['exported'] as Node) !== name) continue;
        const local = nameOf(specifier['local'] as Node);
        if (n['source']) return this.#program.from(this, n['source'].value as string, local);
        const variable = this.analysis.root.scope.variables.get(local);
        return variable ? this.#program.follow(this, variable) : null;
      }
      const variable = n['declaration'] ? this.analysis.root.scope.variables.get(name) : undefined;
      if (variable && n.start <= startOf(variable) && startOf(variable) <= n.end) return { module: this, variable };
    }
    return null;
  }

  #default(declaration: Node): Target {
    const variable = (declaration['id'] as Node | null | undefined)?.$ref?.variable ?? declaration.$ref?.variable;
    return variable ? this.#program.follow(this, variable) : null;
  }
}

/** @throws ServletSyntaxError, with the place that Node tells above the stack: its line, that line, a caret under it */
function withoutTypes(original: string, file: string): string {
  try {
    return stripTypeScriptTypes(original);
  } catch (error) {
    const { message, stack = '' } = error as Error;
    // Node takes it for a fault of its own, and knows no place.
    if (message.startsWith('Maximum call stack size exceeded'))
      throw new ServletTooDeepError(file, { source: original, line: 1, column: 1 });
    const line = /^:(\d+)\n/.exec(stack)?.[1],
      caret = /^( *)\^+$/m.exec(stack)?.[1];
    throw new ServletSyntaxError(message, file, Number(line ?? 1), (caret?.length ?? 0) + 1);
  }
}

const isDeclared = (n: Node): boolean => n.type === 'FunctionDeclaration' || n.type === 'ClassDeclaration';
const nameOf = (n: Node): string => (n['name'] ?? n['value']) as string;
const startOf = (v: Variable): number => v.declaration?.start ?? v.refs.find((ref) => ref.isInit)?.node.start ?? -1;

/** The modules of a servlet, as far as they import each other by relative paths. */
export class Program {
  readonly entry: CheckedModule;
  readonly #modules = new Map<string, CheckedModule | null>();

  /** @throws ServletSyntaxError */
  constructor(entry: string) {
    this.entry = this.#open(entry)!;
    for (const module of this.modules)
      for (const n of module.root['body'] as Node[])
        if (n['source']) this.imported(module, n['source'].value as string);
  }

  get modules(): Iterable<CheckedModule> {
    return this.#all();
  }
  *#all(): Generator<CheckedModule> {
    // A map gives what is added while it is walked.
    for (const module of this.#modules.values()) if (module !== null) yield module;
  }

  /** The servlet's own module of that name; null for any other. */
  imported(by: CheckedModule, specifier: string): CheckedModule | null {
    if (!/^\.{1,2}\//.test(specifier)) return null;
    const { href } = new URL(specifier, by.url);
    if (!/\.m?[jt]s$/.test(href) || href.includes('/node_modules/')) return null;
    return this.#modules.has(href) ? this.#modules.get(href)! : this.#open(href);
  }

  #open(url: string): CheckedModule | null {
    this.#modules.set(url, null);
    let module: CheckedModule | null = null;
    try {
      module = new CheckedModule(this, url);
    } catch (error) {
      // What is imported and not there is told when the servlet is loaded.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || this.#modules.size === 1) throw error;
    }
    this.#modules.set(url, module);
    return module;
  }

  from(by: CheckedModule, specifier: string, name: string): Target {
    const module = this.imported(by, specifier);
    if (module !== null) return name === '*' ? null : module.exported(name);
    return /^\.{1,2}\//.test(specifier) ? null : { from: specifier, name };
  }

  follow(module: CheckedModule, variable: Variable): Target {
    if (variable.kind !== 'import') return { module, variable };
    const { specifiers, source } = variable.declaration as unknown as { specifiers: Node[]; source: Node },
      specifier = specifiers.find((each) => each['local'].name === variable.name)!;
    const name =
      specifier.type === 'ImportNamespaceSpecifier'
        ? '*'
        : specifier.type === 'ImportDefaultSpecifier'
          ? 'default'
          : nameOf(specifier['imported'] as Node);
    return this.from(module, source['value'] as string, name);
  }
}

/** Every node, from outside to inside. */
export function walk(n: Node, visit: (n: Node, parent: Node | null) => void, parent: Node | null = null): void {
  visit(n, parent);
  for (const child of children(n)) walk(child, visit, n);
}

/** What is inside of a function and of no other function in it. */
export function walkOwn(n: Node, visit: (n: Node) => void): void {
  for (const child of children(n)) {
    visit(child);
    if (!isFunctionNode(child)) walkOwn(child, visit);
  }
}

export const isFunctionNode = (n: Node): boolean =>
  n.type === 'FunctionDeclaration' || n.type === 'FunctionExpression' || n.type === 'ArrowFunctionExpression';
