import {
  block,
  call,
  changed,
  id,
  isClass,
  isFunction,
  isSame,
  lit,
  member,
  node,
  sequence,
  type Node,
} from './ast.ts';
import {
  catchClause,
  classDeclaration,
  forEachStatement,
  forStatement,
  isMade,
  openedDeclaration,
  openedList,
  placeOfDeclaration,
  switchStatement,
} from './blocks.ts';
import { CHILD_KEYS } from './child-keys.ts';
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
      if (isMade(n)) {
        out.push(...placeOfDeclaration(this, n));
        continue;
      }
      const opened = n.type === 'VariableDeclaration' ? openedDeclaration(this, n) : null;
      if (opened) {
        out.push(...opened);
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
              async: !this.context.isStress,
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
    if (n.type === 'ClassDeclaration' && (n.$use?.kind === 'closure' || n.$use?.kind === 'once'))
      return classDeclaration(this, n);
    if (isFunction(n) || isClass(n) || n.type === 'ObjectExpression') return closure(this, n, name);
    switch (n.type) {
      case 'Identifier':
        return n.$ref ? read(this, n) : n;
      case 'AssignmentExpression':
        return assignment(this, n);
      case 'UpdateExpression':
        return update(this, n);
      case 'VariableDeclaration': {
        const opened = openedDeclaration(this, n);
        return opened ? (opened.length === 1 ? opened[0]! : block(opened)) : this.#generic(n);
      }
      case 'BlockStatement':
        return n.$scope ? changed(n, { body: openedList(this, n['body'], n.$scope) }) : this.#generic(n);
      case 'VariableDeclarator':
        return changed(n, {
          id: pattern(this, n['id']),
          init: n['init'] && this.map(n['init'], n['id'].type === 'Identifier' ? n['id'].name : undefined),
        });
      case 'ForInStatement':
      case 'ForOfStatement':
        return forEachStatement(this, n);
      case 'ForStatement':
        return forStatement(this, n, []);
      case 'SwitchStatement':
        return switchStatement(this, n);
      case 'CatchClause':
        return catchClause(this, n);
      case 'MemberExpression':
        return changed(n, {
          object: this.map(n['object']),
          property: n['computed'] ? this.map(n['property']) : n['property'],
        });
      case 'Raw':
        return { ...n, parts: (n['parts'] as (string | Node)[]).map((p) => (typeof p === 'string' ? p : this.map(p))) };
      case 'CallExpression':
        return this.#call(n);
      case 'TaggedTemplateExpression':
        return changed(n, { tag: this.#bare(n['tag'], this.map(n['tag'])), quasi: this.map(n['quasi']) });
      case 'UnaryExpression':
        return n['operator'] === 'delete' && n['argument'].type === 'Identifier' && n['argument'].$ref?.variable?.isOurs
          ? lit(false)
          : changed(n, { argument: this.map(n['argument']) });
      case 'LabeledStatement':
        return this.#labeled(n);
      // A string that was no directive must not become one when an empty statement before it is not printed.
      case 'ExpressionStatement':
        return changed(n, {
          expression:
            n['expression'].type === 'Literal' && !n['directive']
              ? sequence([lit(0), n['expression']])
              : this.map(n['expression']),
        });
      case 'BreakStatement':
      case 'ContinueStatement':
      case 'Literal':
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
      case 'MetaProperty':
        return n;
      case 'ExportNamedDeclaration':
        return n['declaration'] ? changed(n, { declaration: this.map(n['declaration']) }) : n;
      case 'ExportDefaultDeclaration':
        return changed(n, { declaration: this.map(this.#unnamed(n['declaration']), 'default') });
      default:
        return this.#generic(n);
    }
  }

  /** Nodes in which nothing changes are not copied. */
  #generic(n: Node): Node {
    let out: Node | null = null;
    for (const key of CHILD_KEYS[n.type]!) {
      const value = n[key] as Node | (Node | null)[] | null | undefined;
      if (!value) continue;
      const mapped = Array.isArray(value) ? this.list(value) : this.map(value);
      if (!isSame(value, mapped)) (out ??= { ...n })[key] = mapped;
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

  /** The module's own record. */
  module(): Node {
    return call(id(this.context.words.moduleOf), []);
  }

  /** `export default class {}` is an expression where its value must be noted. */
  #unnamed(n: Node): Node {
    return this.context.saved && n.type === 'ClassDeclaration' && !n['id'] ? { ...n, type: 'ClassExpression' } : n;
  }

  #labeled(n: Node): Node {
    const labels: string[] = [];
    let body = n;
    for (; body.type === 'LabeledStatement'; body = body['body']) labels.push(body['label'].name);
    return body.type === 'ForStatement' ? forStatement(this, body, labels) : changed(n, { body: this.map(n['body']) });
  }

  #call(n: Node): Node {
    const callee = this.map(n['callee']),
      args = this.list(n['arguments']);
    return changed(n, { callee: this.#bare(n['callee'], callee), arguments: args });
  }
  /** What becomes a member expression only by emission (a box, a named function) is still called without a receiver. */
  #bare(original: Node, callee: Node): Node {
    return original.type !== 'MemberExpression' && callee.type === 'MemberExpression'
      ? sequence([lit(0), callee])
      : callee;
  }
}
