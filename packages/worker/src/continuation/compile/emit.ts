import { call, id, isClass, isFunction, lit, member, node, sequence, type Node } from './ast.ts';
import { closure } from './closures.ts';
import type { FunctionContext } from './functions.ts';
import { assignment, pattern, read, update } from './references.ts';
import type { FunctionInfo } from './scope.ts';

/**
 * The last rewriting: every reference becomes what its variable's storage asks for (a name, a box, a checked read), closures get
 * variables of an iteration by value, and resumable functions become a wrapper and a body.
 */
export class Emitter {
  readonly context: FunctionContext;
  /** The function whose own code is being emitted. */
  fn: FunctionInfo;
  constructor(context: FunctionContext, root: FunctionInfo) {
    this.context = context;
    this.fn = root;
  }
  /** A call of one of the runtime's functions. */
  runtime(name: string, ...args: Node[]): Node {
    return call(member(id(this.context.words.runtime), name), args);
  }

  list(body: (Node | null)[]): (Node | null)[] {
    const out: (Node | null)[] = [];
    for (const n of body) {
      if (!n) {
        out.push(n);
        continue;
      }
      const inner =
        (n.type === 'ExportNamedDeclaration' || n.type === 'ExportDefaultDeclaration') && n['declaration']
          ? (n['declaration'] as Node)
          : n;
      out.push(this.map(n));
      const compiled = inner.type === 'FunctionDeclaration' ? inner.$fn?.compiled : undefined;
      if (compiled?.isSibling) {
        out.push(
          node(
            'FunctionDeclaration',
            {
              id: id(compiled.bodyName),
              params: [id(this.context.words.frame), ...compiled.bodyParams.map((p) => this.map(p))],
              async: true,
              generator: false,
              body: this.inside(inner.$fn!, () => this.map(compiled.body)),
            },
            inner,
          ),
        );
      }
    }
    return out;
  }

  /** Emits a node; `name` is what an anonymous function in this place is called. */
  map(n: Node, name?: string): Node {
    if (isFunction(n) || isClass(n) || n.type === 'ObjectExpression') return closure(this, n, name);
    switch (n.type) {
      case 'Identifier':
        return n.$ref ? read(this, n) : n;
      case 'AssignmentExpression':
        return assignment(this, n);
      case 'UpdateExpression':
        return update(this, n);
      case 'VariableDeclarator':
        return {
          ...n,
          id: pattern(this, n['id']),
          init: n['init'] && this.map(n['init'], n['id'].type === 'Identifier' ? n['id'].name : undefined),
        };
      case 'ForInStatement':
      case 'ForOfStatement':
        return {
          ...n,
          left: n['left'].type === 'VariableDeclaration' ? this.map(n['left']) : pattern(this, n['left']),
          right: this.map(n['right']),
          body: this.map(n['body']),
        };
      case 'CatchClause':
        return { ...n, param: n['param'] && pattern(this, n['param']), body: this.map(n['body']) };
      case 'MemberExpression': {
        const object = this.map(n['object']),
          property = n['computed'] ? this.map(n['property']) : n['property'];
        return object === n['object'] && property === n['property'] ? n : { ...n, object, property };
      }
      case 'Raw':
        return { ...n, parts: (n['parts'] as (string | Node)[]).map((p) => (typeof p === 'string' ? p : this.map(p))) };
      case 'CallExpression':
        return this.#call(n);
      case 'TaggedTemplateExpression':
        return { ...n, tag: this.#bare(n['tag'], this.map(n['tag'])), quasi: this.map(n['quasi']) };
      // The printer drops the parentheses of `new (import(x))`.
      case 'NewExpression':
        return {
          ...n,
          callee:
            n['callee'].type === 'ImportExpression' ? sequence([lit(0), this.map(n['callee'])]) : this.map(n['callee']),
          arguments: this.list(n['arguments']),
        };
      case 'UnaryExpression':
        return n['operator'] === 'delete' &&
          n['argument'].type === 'Identifier' &&
          n['argument'].$ref?.variable?.isHoisted
          ? lit(false)
          : { ...n, argument: this.map(n['argument']) };
      case 'LabeledStatement':
        return { ...n, body: this.map(n['body']) };
      // A string that was no directive must not become one when an empty statement before it is not printed.
      case 'ExpressionStatement':
        return {
          ...n,
          expression:
            n['expression'].type === 'Literal' && !n['directive']
              ? sequence([lit(0), n['expression']])
              : this.map(n['expression']),
        };
      case 'BreakStatement':
      case 'ContinueStatement':
      case 'Literal':
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
      case 'MetaProperty':
        return n;
      case 'ExportNamedDeclaration':
        return n['declaration'] ? { ...n, declaration: this.map(n['declaration']) } : n;
      case 'ExportDefaultDeclaration':
        return { ...n, declaration: this.map(n['declaration'], 'default') };
      default:
        return this.#generic(n);
    }
  }

  /** Nodes in which nothing changes are not copied. */
  #generic(n: Node): Node {
    let out: Node | null = null;
    for (const key in n) {
      if (key === 'loc' || key.charCodeAt(0) === 36) continue;
      const value = n[key];
      if (typeof value !== 'object' || value === null) continue;
      let mapped: unknown = value;
      if (Array.isArray(value)) {
        if (!value.some((x) => x && typeof x.type === 'string')) continue;
        const list = this.list(value);
        if (list.length !== value.length || list.some((x, i) => x !== value[i])) mapped = list;
      } else if (typeof value.type === 'string') mapped = this.map(value);
      if (mapped !== value) (out ??= { ...n })[key] = mapped;
    }
    return out ?? n;
  }

  /** Emits what belongs to another function. */
  inside<T>(fn: FunctionInfo, make: () => T): T {
    const outer = this.fn;
    this.fn = fn;
    try {
      return make();
    } finally {
      this.fn = outer;
    }
  }

  #call(n: Node): Node {
    const callee = this.map(n['callee']),
      args = this.list(n['arguments']);
    return { ...n, callee: this.#bare(n['callee'], callee), arguments: args };
  }
  /** What becomes a member expression only by emission (a box, a named function) is still called without a receiver. */
  #bare(original: Node, callee: Node): Node {
    return original.type !== 'MemberExpression' && callee.type === 'MemberExpression'
      ? sequence([lit(0), callee])
      : callee;
  }
}
