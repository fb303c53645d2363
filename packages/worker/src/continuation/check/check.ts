import { persistenceOf } from '@custodian/protocol';
import type { Node } from '../compile/ast.ts';
import { ServletCompileError, ServletSyntaxError, ServletTooDeepError } from '../compile/compile.ts';
import type { FunctionInfo, Variable } from '../compile/scope.ts';
import { type CheckedModule, isFunctionNode, LIBRARY, type Own, Program, walk, walkOwn } from './program.ts';
import { ValueCheck } from './values.ts';

/** Something that is wrong with a servlet, as far as it can be told before it runs. */
export interface Finding {
  /** `error`: whoever comes there has an error. `warning`: it may be meant. */
  severity: 'error' | 'warning';
  code: string;
  message: string;
  file: string;
  /** From 1. */
  line: number;
  column: number;
  /** What a page can't hold, and the way inside it: `cart's socket`. */
  variable?: string;
  path?: string;
  /** The suspension that it is held across. */
  suspension?: { file: string; line: number; column: number };
}

/** Calls of the library that suspend wherever they are awaited. */
const SUSPENDING: ReadonlySet<string> = new Set([
  'page',
  'redirectGet',
  'redirectGetForget',
  'sendFormlet',
  'sendForward',
  'sendSuspend',
  'sendSuspendDispatch',
  'sendSuspendHidden',
  'sendSuspendUrl',
  'sendSuspendUrlDispatch',
]);
/** Those that call what they are given, and suspend where that does. */
const CALLING: ReadonlySet<string> = new Set(['onExpired', 'sequential', 'withErrorsToBrowser']);
const COMBINATORS: ReadonlySet<string> = new Set(['Promise.all', 'Promise.allSettled', 'Promise.any', 'Promise.race']);
const CHAINING: ReadonlySet<string> = new Set(['then', 'catch', 'finally']);

/**
 * What can be proven of a servlet, of its own modules and without its types: values that can't be saved and are held across a
 * suspension, and suspensions in places that can't be captured. What it does not find may be wrong all the same.
 * @param entry the `file:` URL of its module
 * @param options `isStateless`: its pages are saved, whatever the module says
 */
export function checkServlet(entry: string, { isStateless = false }: { isStateless?: boolean } = {}): Finding[] {
  try {
    const program = new Program(entry);
    return new Check(program, isStateless || persistenceOf(program.entry.source) === 'stateless').findings();
  } catch (error) {
    if (!isOfCompiler(error)) throw error;
    return [asFinding(error)];
  }
}

type CompilerError = ServletSyntaxError | ServletCompileError | ServletTooDeepError;

function isOfCompiler(error: unknown): error is CompilerError {
  return (
    error instanceof ServletSyntaxError || error instanceof ServletCompileError || error instanceof ServletTooDeepError
  );
}

function asFinding(error: CompilerError): Finding {
  const { code, file, line, column } = error;
  return { severity: 'error', code, message: error.message.split(` (${file}`)[0]!, file, line, column };
}

class Check {
  readonly #program: Program;
  readonly #isStateless: boolean;
  readonly #values: ValueCheck;
  readonly #found: Finding[] = [];
  readonly #suspends = new Map<Node, boolean>();
  /** Functions are called inside of `native` by their names: a suspension in one may be where it can be. */
  #isNativeUsed = false;

  constructor(program: Program, isStateless: boolean) {
    this.#program = program;
    this.#isStateless = isStateless;
    this.#values = new ValueCheck(program);
  }

  findings(): Finding[] {
    for (const module of this.#program.modules)
      walk(module.root, (n) => {
        if (n.type !== 'CallExpression' || !this.#isLibrary(module, n, 'native')) return;
        const [given] = n['arguments'] as Node[];
        if (given && !isFunctionNode(given)) this.#isNativeUsed = true;
      });
    for (const module of this.#program.modules) module.withinStack(() => this.#module(module));
    return this.#found.sort((a, b) =>
      a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1,
    );
  }

  #module(module: CheckedModule): void {
    try {
      for (const { code, message, line, column } of module.compiled.diagnostics)
        // A saved page has a copy of its own.
        if (!this.#isStateless || code !== 'SERVLET_SHARED_LOCAL')
          this.#found.push({ severity: 'warning', code, message, file: module.file, line, column });
    } catch (error) {
      if (!isOfCompiler(error)) throw error;
      this.#found.push(asFinding(error));
      return;
    }
    for (const fn of module.analysis.functions) if (fn.node['async'] === true) this.#function(module, fn);
    walk(module.root, (n) => {
      if (n.type === 'CallExpression' && this.#suspendsAt(module, n)) this.#place(module, n);
    });
  }

  /** What an async function holds while one of its calls suspends. */
  #function(module: CheckedModule, fn: FunctionInfo): void {
    const waits: Node[] = [];
    walkOwn(fn.node, (n) => {
      if (n.type === 'AwaitExpression' && this.#suspendsAt(module, n['argument'] as Node)) waits.push(n);
    });
    const [first] = waits;
    if (first === undefined || this.#isInNative(module, first)) return;
    if (!fn.isResumable) {
      this.#unsafe(
        module,
        first,
        `${nameOf(fn.node)} is left as it is, because of "use native", eval or yield in it, and its frames are native code`,
      );
      return;
    }
    if (!this.#isStateless) return;
    const told = new Set<Variable>();
    for (const wait of waits) {
      const live = this.#liveAt(module, fn, wait);
      if (live.length === 0 && isTail(module, fn, wait)) continue;
      if (!fn.isBodyApart) {
        this.#found.push({
          severity: 'error',
          code: 'SERVLET_UNSERIALIZABLE',
          message: `Cannot save a page that ${nameOf(fn.node)} waits for: it uses super or new.target, or is made where eval is called`,
          ...placeOf(module, wait),
        });
        return;
      }
      for (const variable of live) {
        const reason = told.has(variable) ? null : this.#values.variable(module, variable);
        if (reason === null) continue;
        told.add(variable);
        const path = variable.name + reason.path,
          made = placeOf(module, module.inits.get(variable)!);
        this.#found.push({
          severity: 'error',
          code: 'SERVLET_UNSERIALIZABLE',
          message: `Cannot save the page of line ${placeOf(module, wait).line}: "${path}" ${reason.why}: ${reason.instead}`,
          ...made,
          variable: variable.name,
          path,
          suspension: placeOf(module, wait),
        });
      }
    }
  }

  #liveAt(module: CheckedModule, fn: FunctionInfo, wait: Node): Variable[] {
    const meta = module.metaOf(fn.node),
      site = meta?.awaits.find((each) => isAt(each, module, wait));
    if (meta === undefined || site === undefined) return [];
    return site.live.flatMap((i) => {
      // Of those of one name, the one that is seen there.
      const scopes = fn.scopes.filter(
          ({ node, variables }) => variables.has(meta.variables[i]!) && contains(node, wait),
        ),
        scope = scopes.sort((a, b) => a.node.end - a.node.start - (b.node.end - b.node.start))[0];
      return scope ? [scope.variables.get(meta.variables[i]!)!] : [];
    });
  }

  /** A suspension that goes where it can't be captured. */
  #place(module: CheckedModule, call: Node): void {
    if (this.#isInNative(module, call)) return;
    const parent = module.parents.get(call)!;
    if (parent.type === 'ExpressionStatement')
      return this.#unsafe(module, call, `nobody awaits the promise of ${this.#name(call)}`);
    if (
      parent.type === 'MemberExpression' &&
      parent['object'] === call &&
      CHAINING.has(parent['property'].name as string)
    )
      return this.#unsafe(module, call, `.${parent['property'].name as string}() can't be captured`);
    const combinator = this.#combinator(module, call);
    if (combinator !== null) this.#unsafe(module, call, `${combinator} can't be captured`);
  }

  /** The combinator of promises among whose list the call is: as an element, or as what a `map` calls. */
  #combinator(module: CheckedModule, call: Node): string | null {
    const { parents } = module;
    let list = parents.get(call)!;
    if (list.type !== 'ArrayExpression') {
      let fn: Node | undefined = call;
      while (fn && !isFunctionNode(fn)) fn = parents.get(fn);
      const map = fn ? parents.get(fn) : undefined;
      if (map?.type !== 'CallExpression' || map['callee'].property?.name !== 'map') return null;
      list = map;
    }
    const outer = parents.get(list);
    if (outer?.type !== 'CallExpression' || (outer['arguments'] as Node[])[0] !== list) return null;
    const target = module.target(outer['callee'] as Node);
    return target !== null && 'from' in target && target.from === null && COMBINATORS.has(target.name)
      ? target.name
      : null;
  }

  #unsafe(module: CheckedModule, at: Node, why: string): void {
    this.#found.push({
      severity: this.#isNativeUsed ? 'warning' : 'error',
      code: 'SERVLET_UNSAFE_CONTEXT',
      message: `Cannot capture a continuation: ${why}; await the call directly, in a for loop or with sequential(), or run it inside native()`,
      ...placeOf(module, at),
    });
  }

  /** The call suspends, as far as it is known whom it calls. */
  #suspendsAt(module: CheckedModule, call: Node): boolean {
    if (call.type !== 'CallExpression') return false;
    const target = module.target(call['callee'] as Node);
    if (target === null) return false;
    if ('variable' in target) return this.#suspendsIn(target);
    if (target.from !== LIBRARY) return false;
    if (SUSPENDING.has(target.name)) return true;
    return CALLING.has(target.name) && (call['arguments'] as Node[]).some((given) => this.#isSuspending(module, given));
  }

  #isSuspending(module: CheckedModule, given: Node): boolean {
    if (isFunctionNode(given)) return this.#contains(module, given);
    const target = given.type === 'Identifier' ? module.target(given) : null;
    return target !== null && 'variable' in target && this.#suspendsIn(target);
  }

  #suspendsIn(target: Own): boolean {
    const fn = this.#values.functionOf(target);
    // A generator's code runs when somebody asks for its values.
    return fn !== null && fn['generator'] !== true && this.#contains(target.module, fn);
  }

  #contains(module: CheckedModule, fn: Node): boolean {
    const known = this.#suspends.get(fn);
    if (known !== undefined) return known;
    this.#suspends.set(fn, false);
    let found = false;
    walkOwn(fn, (n) => {
      if (!found && n.type === 'CallExpression' && this.#suspendsAt(module, n)) found = true;
    });
    this.#suspends.set(fn, found);
    return found;
  }

  #isLibrary(module: CheckedModule, call: Node, name: string): boolean {
    const target = module.target(call['callee'] as Node);
    return target !== null && 'from' in target && target.from === LIBRARY && target.name === name;
  }

  /** The node is in a function that `native` is given. */
  #isInNative(module: CheckedModule, n: Node): boolean {
    for (let at = module.parents.get(n); at; at = module.parents.get(at))
      if (at.type === 'CallExpression' && this.#isLibrary(module, at, 'native')) return true;
    return false;
  }

  #name(call: Node): string {
    const callee = call['callee'] as Node;
    return (callee['name'] ?? callee['property']?.name ?? 'the call') as string;
  }
}

function isTail(module: CheckedModule, fn: FunctionInfo, wait: Node): boolean {
  return module.metaOf(fn.node)?.awaits.find((each) => isAt(each, module, wait))?.isTail !== false;
}

function isAt(site: { line: number; column: number }, module: CheckedModule, n: Node): boolean {
  const { line, column } = module.placeOf(n);
  return site.line === line && site.column === column;
}
const contains = (outer: Node, inner: Node): boolean => outer.start <= inner.start && inner.end <= outer.end;
const nameOf = (fn: Node): string => (fn['$name'] ?? fn['id']?.name ?? 'an anonymous function') as string;

function placeOf(module: CheckedModule, n: Node): { file: string; line: number; column: number } {
  return { file: module.file, ...module.placeOf(n) };
}
