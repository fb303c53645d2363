import {
  assign,
  binary,
  call,
  id,
  index,
  isAnonymous,
  isClass,
  isFunction,
  lit,
  member,
  named,
  node,
  sequence,
  type Node,
  arrow,
} from './ast.ts';
import { wrapperBody, type FunctionContext } from './functions.ts';
import type { FunctionInfo, Variable } from './scope.ts';
import { box } from './statements.ts';

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
  #runtime(name: string, ...args: Node[]): Node {
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
              body: this.#inside(inner.$fn!, () => this.map(compiled.body)),
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
    if (isFunction(n) || isClass(n) || n.type === 'ObjectExpression') return this.#closure(n, name);
    switch (n.type) {
      case 'Identifier':
        return n.$ref ? this.#read(n) : n;
      case 'AssignmentExpression':
        return this.#assignment(n);
      case 'UpdateExpression':
        return this.#update(n);
      case 'VariableDeclarator':
        return {
          ...n,
          id: this.#pattern(n['id']),
          init: n['init'] && this.map(n['init'], n['id'].type === 'Identifier' ? n['id'].name : undefined),
        };
      case 'ForInStatement':
      case 'ForOfStatement':
        return {
          ...n,
          left: n['left'].type === 'VariableDeclaration' ? this.map(n['left']) : this.#pattern(n['left']),
          right: this.map(n['right']),
          body: this.map(n['body']),
        };
      case 'CatchClause':
        return { ...n, param: n['param'] && this.#pattern(n['param']), body: this.map(n['body']) };
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

  #inside<T>(fn: FunctionInfo, make: () => T): T {
    const outer = this.fn;
    this.fn = fn;
    try {
      return make();
    } finally {
      this.fn = outer;
    }
  }

  // ---- references

  #slot(n: Node): Node {
    const v = n.$ref!.variable!;
    return id(v.isPerIteration && n.$ref!.closure ? v.closureName : v.emitName, n);
  }
  #place(n: Node): Node {
    const slot = this.#slot(n);
    return n.$ref!.variable!.isBoxed ? member(slot, 'v') : slot;
  }
  #read(n: Node): Node {
    const v = n.$ref!.variable;
    if (!v?.isHoisted) return n;
    if (n['$raw']) return id(v.emitName, n);
    return v.needsCheck ? this.#checked(n, v) : this.#place(n);
  }
  #checked(n: Node, v: Variable): Node {
    return { ...this.#runtime('checked', this.#place(n), lit(v.name)), loc: n['loc'] };
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

  #assignment(n: Node): Node {
    const left = n['left'] as Node,
      operator = n['operator'] as string;
    if (left.type !== 'Identifier') return { ...n, left: this.#pattern(left), right: this.map(n['right']) };
    const v = left.$ref?.variable;
    if (!v?.isHoisted) return { ...n, right: this.map(n['right'], left['name']) };
    if (left['$raw']) return { ...n, left: this.#read(left), right: this.map(n['right']) };
    const isInit = left.$ref!.isInit,
      right = this.#named(n['right'], v.name, this.#place(left)),
      isLogical = operator.length === 3 && /^(&&|\|\||\?\?)/.test(operator);
    if ((v.kind === 'const' || v.kind === 'using') && !isInit) {
      const attempt = this.#runtime('constant', right, lit(v.name));
      if (operator === '=') return attempt;
      return isLogical
        ? binary(operator.slice(0, -1), this.#read(left), attempt, n)
        : sequence([this.#read(left), attempt]);
    }
    if (isInit && v.isBoxed && !v.isBoxedEarly) return { ...n, left: this.#slot(left), right: box(right) };
    if (v.needsCheck && !isInit) {
      if (operator !== '=') return sequence([this.#checked(left, v), { ...n, left: this.#place(left), right }]);
      return { ...n, left: this.#place(left), right: this.#runtime('writable', right, this.#place(left), lit(v.name)) };
    }
    return { ...n, left: this.#place(left), right };
  }

  /** The right side of a named assignment: an anonymous function keeps the author's name for the variable. */
  #named(right: Node, name: string, place: Node): Node {
    if (!isAnonymous(right)) return this.map(right, name);
    const mapped = this.map(right, name);
    return isAnonymous(mapped) && !(place.type === 'Identifier' && place['name'] === name)
      ? named(mapped, name)
      : mapped;
  }

  #update(n: Node): Node {
    const argument = n['argument'] as Node;
    if (argument.type !== 'Identifier') return { ...n, argument: this.map(argument) };
    const v = argument.$ref?.variable;
    if (!v?.isHoisted) return n;
    if (v.kind === 'const' || v.kind === 'using') return this.#runtime('constant', this.#read(argument), lit(v.name));
    const updated = { ...n, argument: this.#place(argument) };
    return v.needsCheck ? sequence([this.#checked(argument, v), updated]) : updated;
  }

  #pattern(n: Node | null): Node {
    if (!n) return n as unknown as Node;
    switch (n.type) {
      case 'Identifier':
        return this.#target(n);
      case 'ObjectPattern':
        return {
          ...n,
          properties: (n['properties'] as Node[]).map((p) =>
            p.type === 'RestElement'
              ? { ...p, argument: this.#pattern(p['argument']) }
              : {
                  ...p,
                  key: p['computed'] ? this.map(p['key']) : p['key'],
                  value: this.#pattern(p['value']),
                  shorthand: p['shorthand'] && this.#keepsName(p['value']),
                },
          ),
        };
      case 'ArrayPattern':
        return { ...n, elements: (n['elements'] as (Node | null)[]).map((e) => e && this.#pattern(e)) };
      case 'AssignmentPattern': {
        const left = this.#pattern(n['left']);
        return {
          ...n,
          left,
          right:
            n['left'].type === 'Identifier'
              ? this.#named(n['right'], n['left'].$ref?.variable?.name ?? n['left'].name, left)
              : this.map(n['right']),
        };
      }
      case 'RestElement':
        return { ...n, argument: this.#pattern(n['argument']) };
      default:
        return this.map(n);
    }
  }
  #keepsName(n: Node): boolean {
    const target = n.type === 'AssignmentPattern' ? (n['left'] as Node) : n,
      mapped = this.#target(target);
    return mapped.type === 'Identifier' && mapped['name'] === target['name'];
  }
  #target(n: Node): Node {
    const v = n.$ref?.variable;
    if (!v?.isHoisted) return n;
    if (n['$raw']) return this.#read(n);
    if ((v.kind === 'const' || v.kind === 'using') && !n.$ref!.isInit)
      return member(this.#runtime('constantTarget', lit(v.name)), 'v');
    if (v.needsCheck && !n.$ref!.isInit) {
      const value = id('value');
      return member(
        this.#runtime(
          'checkedTarget',
          arrow([], this.#place(n)),
          arrow([value], assign(this.#place(n), value)),
          lit(v.name),
        ),
        'v',
      );
    }
    return this.#place(n);
  }

  // ---- closures

  /** Wraps a closure that captures variables of an iteration: `(x => closure)(x)`. */
  #closure(n: Node, name?: string): Node {
    const captured = [...(n.$captures ?? [])].filter((v) => v.isPerIteration && v.scope.fn === this.fn);
    const inner =
      n.type === 'ObjectExpression' ? this.#object(n) : isClass(n) ? this.#class(n) : this.#function(n, name);
    if (!captured.length || n.type.endsWith('Declaration')) return inner;
    const value = name !== undefined && isAnonymous(inner) ? named(inner, name) : inner;
    return call(
      arrow(
        captured.map((v) => id(v.closureName)),
        value,
      ),
      captured.map((v) => id(v.emitName)),
      n,
    );
  }

  #object(n: Node): Node {
    return {
      ...n,
      properties: (n['properties'] as Node[]).map((p) => {
        if (p.type === 'SpreadElement') return this.map(p);
        const key = p['computed'] ? this.map(p['key']) : p['key'];
        if (p['method'] || p['kind'] !== 'init') return { ...p, key, value: this.#method(p['value']) };
        const value = this.map(p['value'], p['computed'] ? undefined : String(p['key'].name ?? p['key'].value));
        return {
          ...p,
          key,
          value,
          shorthand: p['shorthand'] && value.type === 'Identifier' && value['name'] === p['key'].name,
        };
      }),
    };
  }

  #class(n: Node): Node {
    const members = (n['body'].body as Node[]).map((m) => {
      const key = m['computed'] ? this.map(m['key']) : m['key'];
      if (m.type === 'MethodDefinition') return { ...m, key, value: this.#method(m['value']) };
      if (m.type === 'PropertyDefinition') {
        return {
          ...m,
          key,
          value:
            m['value'] &&
            this.#inside(m.$fn!, () =>
              this.map(
                m['value'],
                m['computed']
                  ? undefined
                  : m['key'].type === 'PrivateIdentifier'
                    ? `#${m['key'].name}`
                    : String(m['key'].name ?? m['key'].value),
              ),
            ),
        };
      }
      return this.#inside(m.$fn!, () => ({ ...m, body: this.list(m['body']) }));
    });
    return { ...n, superClass: n['superClass'] && this.map(n['superClass']), body: { ...n['body'], body: members } };
  }

  #method(n: Node): Node {
    const fn = n.$fn!,
      compiled = fn.compiled;
    return compiled ? { ...n, async: false, params: compiled.params, body: this.#wrapper(fn) } : this.#plain(n);
  }

  #plain(n: Node): Node {
    return this.#inside(n.$fn!, () => ({
      ...n,
      params: (n['params'] as Node[]).map((p) => this.#pattern(p)),
      body: this.map(n['body']),
    }));
  }

  #wrapper(fn: FunctionInfo): Node {
    const compiled = fn.compiled!,
      body = fn.node['body'] as Node;
    const directives = body.type === 'BlockStatement' ? (body['body'] as Node[]).filter((s) => s['directive']) : [];
    const inner = compiled.isSibling ? compiled.body : this.#inside(fn, () => this.map(compiled.body));
    return wrapperBody(compiled, inner, this.context, directives);
  }

  #function(n: Node, name?: string): Node {
    const fn = n.$fn!,
      compiled = fn.compiled;
    if (!compiled) return this.#plain(n);
    const params = compiled.params,
      body = this.#wrapper(fn);
    if (n.type === 'ArrowFunctionExpression') return arrow(params, body, false, n);
    if (n.type === 'FunctionDeclaration') return { ...n, async: false, params, body };
    const isSelfReferring =
      !!n['id'] &&
      fn.scope.parent!.variables.get(n['id'].name)?.kind === 'self' &&
      fn.scope.parent!.variables.get(n['id'].name)!.refs.length > 0;
    if (isSelfReferring) return { ...n, async: false, params, body };
    const ownName = n['id']?.name ?? name;
    if (!fn.usesThis && !fn.usesArguments) {
      const made = arrow(params, body, false, n);
      return n['id'] || ownName === undefined ? (ownName === undefined ? made : named(made, ownName)) : made;
    }
    // A method is no constructor and has no prototype, as an async function has none.
    const property = node('Property', {
      key: lit(ownName ?? ''),
      value: node('FunctionExpression', { id: null, params, body, async: false, generator: false }, n),
      kind: 'init',
      computed: ownName === '__proto__',
      method: true,
      shorthand: false,
    });
    return index(node('ObjectExpression', { properties: [property] }), lit(ownName ?? ''));
  }
}
