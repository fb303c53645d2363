import { parse } from 'acorn';
import { type Node, resolveNames, scopes, Variable, variables } from './reference-names.ts';
import { binary, goesOn, unary } from './reference-operators.ts';

/**
 * The semantics of continuations, as an interpreter in continuation-passing style for the part of the language that random programs
 * use. The locals of an activation are an immutable map that is handed from step to step, so that a continuation is a closure over the
 * map as it was: locals are copied by construction. A local that closures and assignments share is a box in that map, and boxes and
 * objects are shared by construction. Nothing here knows how the compiler works.
 */

/** What a program shows: a question that it suspends with, or how it ended. */
export interface Shown {
  seen: string;
  /** Goes on from the question with an answer, any number of times. */
  answer: ((value: unknown) => Shown) | null;
}

type Step = (() => Step) | null;
type Env = ReadonlyMap<Variable, unknown>;
type Next = (env: Env) => Step;
type NextValue = (value: any, env: Env) => Step;

/** Where a statement may go when it does not simply end. */
interface Exits {
  throws: NextValue;
  returns: NextValue;
  breaks: (label: string | null, env: Env) => Step;
  continues: (label: string | null, env: Env) => Step;
}

class Box {
  value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

interface Code {
  node: Node;
  env: Env;
}
const CODE = Symbol('code');
type Closure = ((...args: unknown[]) => unknown) & { [CODE]: Code };
const THIS = new Variable('this', 'this', { parent: null, madeAt: 0, loops: [] }, []);
const codeOf = (f: unknown): Code | undefined => (f as Partial<Closure> | null)?.[CODE];

class Machine {
  shown: Shown | null = null;
  readonly natives: Readonly<Record<string, unknown>>;
  constructor(natives: Readonly<Record<string, unknown>>) {
    this.natives = natives;
  }
  go(step: Step): Shown {
    this.shown = null;
    while (step) step = step();
    return this.shown as unknown as Shown;
  }

  // -- variables

  read(n: Node, env: Env, exits: Exits, next: NextValue): Step {
    const variable = variables.get(n);
    if (!variable) return next(n['name'] === 'undefined' ? undefined : this.natives[n['name']], env);
    const held = env.get(variable);
    const isThere = held instanceof Box ? held.value !== UNSET : env.has(variable);
    if (!isThere) return exits.throws(new ReferenceError(`Cannot access '${n['name']}' before initialization`), env);
    return next(held instanceof Box ? held.value : held, env);
  }
  write(n: Node, value: unknown, env: Env): Env {
    const variable = variables.get(n)!;
    const held = env.get(variable);
    if (held instanceof Box) {
      held.value = value;
      return env;
    }
    return new Map(env).set(variable, value);
  }
  /** The variables of a block before any of it has run. */
  enter(n: Node, body: readonly Node[], env: Env): Env {
    const inner = new Map(env);
    for (const each of scopes.get(n)!.variables.values()) {
      if (each.kind === 'param') continue;
      inner.delete(each);
      if (each.kind === 'var') inner.set(each, each.isShared ? new Box(undefined) : undefined);
      else if (each.isEarly || (each.kind === 'catch' && each.isShared)) inner.set(each, new Box(UNSET));
    }
    const declared: Code[] = [];
    for (const s of body)
      if (s.type === 'FunctionDeclaration') {
        const closure = this.close(s, env);
        declared.push(closure[CODE]);
        inner.set(variables.get(s['id'])!, closure);
      }
    for (const each of declared) each.env = inner;
    return inner;
  }
  /** A declaration, once it has a value, gives a shared variable a box of its own. */
  declare(n: Node, value: unknown, env: Env): Env {
    const variable = variables.get(n)!;
    if (!variable.isShared || variable.isEarly) return this.write(n, value, env);
    return new Map(env).set(variable, new Box(value));
  }

  close(node: Node, env: Env): Closure {
    const callNow = this.callNow.bind(this);
    const closure = function (this: unknown, ...args: unknown[]) {
      return callNow(closure, this, args);
    } as Closure;
    Object.defineProperty(closure, CODE, { value: { node, env } satisfies Code });
    return closure;
  }

  /** A synchronous function, from native code or from an expression. */
  callNow(f: unknown, self: unknown, args: readonly unknown[]): unknown {
    const outcome: { value?: unknown; error?: unknown } = {};
    let step: Step = this.enterFunction(codeOf(f)!, self, args, {
      returns: (value) => {
        outcome.value = value;
        return null;
      },
      throws: (error) => {
        outcome.error = error;
        return null;
      },
    });
    while (step) step = step();
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  enterFunction(
    { node, env }: Code,
    self: unknown,
    args: readonly unknown[],
    out: { returns: (value: unknown) => Step; throws: (error: unknown) => Step },
  ): Step {
    const exits: Exits = {
      returns: (value) => out.returns(value),
      throws: (error) => out.throws(error),
      breaks: () => null,
      continues: () => null,
    };
    const start = new Map(env);
    if (node.type !== 'ArrowFunctionExpression') start.set(THIS, self);
    for (const each of scopes.get(node)!.variables.values())
      if (each.kind === 'param') {
        start.delete(each);
        if (each.isShared) start.set(each, new Box(UNSET));
      }
    const params = node['params'] as Node[];
    const bindFrom = (i: number, inner: Env): Step => {
      const p = params[i];
      if (!p) return body(inner);
      const value = p.type === 'RestElement' ? args.slice(i) : args[i];
      return this.bind(p.type === 'RestElement' ? p['argument'] : p, value, inner, exits, (done) =>
        bindFrom(i + 1, done),
      );
    };
    const body = (inner: Env): Step => {
      if (node['body'].type !== 'BlockStatement')
        return this.evaluate(node['body'], inner, exits, (value) => out.returns(value));
      return this.list(node['body'].body, this.enter(node, node['body'].body, inner), exits, () =>
        out.returns(undefined),
      );
    };
    return () => bindFrom(0, start);
  }

  // -- statements

  list(body: readonly Node[], env: Env, exits: Exits, next: Next, from = 0): Step {
    const s = body[from];
    if (!s) return () => next(env);
    return this.run(s, env, exits, (after) => () => this.list(body, after, exits, next, from + 1), []);
  }

  run(n: Node, env: Env, exits: Exits, next: Next, labels: readonly string[]): Step {
    switch (n.type) {
      case 'EmptyStatement':
      case 'FunctionDeclaration':
        return next(env);
      case 'ExpressionStatement':
        return this.evaluate(n['expression'], env, exits, (_, after) => next(after));
      case 'VariableDeclaration':
        return this.declarations(n, env, exits, next, 0);
      case 'BlockStatement':
        return this.list(n['body'], this.enter(n, n['body'], env), this.leaving(exits, labels, next), next);
      case 'IfStatement':
        return this.evaluate(n['test'], env, exits, (test, after) => {
          const branch = test ? n['consequent'] : n['alternate'];
          return branch ? this.run(branch, after, this.leaving(exits, labels, next), next, []) : next(after);
        });
      case 'LabeledStatement':
        return this.run(n['body'], env, exits, next, [...labels, n['label'].name]);
      case 'ReturnStatement':
        return n['argument'] ? this.evaluate(n['argument'], env, exits, exits.returns) : exits.returns(undefined, env);
      case 'ThrowStatement':
        return this.evaluate(n['argument'], env, exits, exits.throws);
      case 'BreakStatement':
        return exits.breaks(n['label']?.name ?? null, env);
      case 'ContinueStatement':
        return exits.continues(n['label']?.name ?? null, env);
      case 'WhileStatement':
        return this.loop(n, env, exits, next, labels, { isTestedFirst: true });
      case 'DoWhileStatement':
        return this.loop(n, env, exits, next, labels, { isTestedFirst: false });
      case 'ForStatement':
        return this.forLoop(n, env, exits, next, labels);
      case 'ForOfStatement':
      case 'ForInStatement':
        return this.evaluate(n['right'], env, exits, (value, after) =>
          n.type === 'ForInStatement'
            ? this.rounds(n, Object.keys(value as object), 0, after, exits, next, labels)
            : Array.isArray(value) || typeof value === 'string' || value instanceof Map || value instanceof Set
              ? this.rounds(
                  n,
                  Array.isArray(value) ? value : [...(value as Iterable<unknown>)],
                  0,
                  after,
                  exits,
                  next,
                  labels,
                )
              : this.iterations(n, new Shared(value as Iterable<unknown>), 0, after, exits, next, labels),
        );
      case 'SwitchStatement':
        return this.choose(n, env, exits, next, labels);
      case 'TryStatement':
        return this.attempt(n, env, this.leaving(exits, labels, next), next);
      default:
        throw new Error(`The reference does not know ${n.type}`);
    }
  }

  /** Around a labelled statement that is no loop. */
  leaving(exits: Exits, labels: readonly string[], next: Next): Exits {
    if (labels.length === 0) return exits;
    return {
      ...exits,
      breaks: (label, env) => (label !== null && labels.includes(label) ? next(env) : exits.breaks(label, env)),
    };
  }
  looping(exits: Exits, labels: readonly string[], next: Next, again: Next): Exits {
    const isMine = (label: string | null): boolean => label === null || labels.includes(label);
    return {
      ...exits,
      breaks: (label, env) => (isMine(label) ? next(env) : exits.breaks(label, env)),
      continues: (label, env) => (isMine(label) ? again(env) : exits.continues(label, env)),
    };
  }

  declarations(n: Node, env: Env, exits: Exits, next: Next, at: number): Step {
    const d = n['declarations'][at];
    if (!d) return next(env);
    const rest = (after: Env): Step => this.declarations(n, after, exits, next, at + 1);
    const isVar = n['kind'] === 'var';
    if (!d.init) return rest(isVar ? env : this.declare(d.id, undefined, env));
    return this.evaluate(d.init, env, exits, (value, after) =>
      this.bind(d.id, value, after, exits, rest, { isDeclared: !isVar }),
    );
  }

  loop(
    n: Node,
    env: Env,
    exits: Exits,
    next: Next,
    labels: readonly string[],
    { isTestedFirst }: { isTestedFirst: boolean },
  ): Step {
    const test =
      (at: Env): Step =>
      () =>
        this.evaluate(n['test'], at, exits, (holds, after) => (holds ? body(after) : next(after)));
    const body = (at: Env): Step => this.run(n['body'], at, this.looping(exits, labels, next, test), test, []);
    return isTestedFirst ? test(env) : body(env);
  }

  forLoop(n: Node, env: Env, exits: Exits, next: Next, labels: readonly string[]): Step {
    const heads = [...scopes.get(n)!.variables.values()];
    const copy = (at: Env): Env => {
      const inner = new Map(at);
      for (const each of heads) {
        const held = inner.get(each);
        if (held instanceof Box) inner.set(each, new Box(held.value));
      }
      return inner;
    };
    const test =
      (at: Env): Step =>
      () =>
        n['test']
          ? this.evaluate(n['test'], at, exits, (holds, after) => (holds ? body(after) : next(after)))
          : body(at);
    const update = (at: Env): Step => {
      const fresh = copy(at);
      return n['update'] ? this.evaluate(n['update'], fresh, exits, (_, after) => test(after)) : test(fresh);
    };
    const body = (at: Env): Step => this.run(n['body'], at, this.looping(exits, labels, next, update), update, []);
    const begin = (at: Env): Step => test(copy(at));
    const inner = this.enter(n, [], env);
    if (!n['init']) return begin(inner);
    return n['init'].type === 'VariableDeclaration'
      ? this.declarations(n['init'], inner, exits, begin, 0)
      : this.evaluate(n['init'], inner, exits, (_, after) => begin(after));
  }

  /** The position is a number that each resumption has for itself. */
  rounds(
    n: Node,
    items: ArrayLike<unknown>,
    at: number,
    env: Env,
    exits: Exits,
    next: Next,
    labels: readonly string[],
  ): Step {
    if (at >= items.length) return next(env);
    const again =
      (after: Env): Step =>
      () =>
        this.rounds(n, items, at + 1, after, exits, next, labels);
    return this.round(n, items[at], env, this.looping(exits, labels, next, again), again);
  }
  /** An iterator that can not be rewound. */
  iterations(n: Node, shared: Shared, at: number, env: Env, exits: Exits, next: Next, labels: readonly string[]): Step {
    const got = shared.take(at);
    if (got === null)
      return exits.throws(
        Object.assign(new Error('one shot'), { name: 'OneShotError', code: 'SERVLET_ONE_SHOT' }),
        env,
      );
    if (got.done) return next(env);
    const again =
      (after: Env): Step =>
      () =>
        this.iterations(n, shared, at + 1, after, exits, next, labels);
    const closing =
      <Args extends unknown[]>(leave: (...args: Args) => Step) =>
      (...args: Args): Step => {
        shared.close();
        return leave(...args);
      };
    const isMine = (label: string | null): boolean => label === null || labels.includes(label);
    const within: Exits = {
      throws: closing(exits.throws),
      returns: closing(exits.returns),
      breaks: (label, after) => {
        shared.close();
        return isMine(label) ? next(after) : exits.breaks(label, after);
      },
      continues: (label, after) => {
        if (isMine(label)) return again(after);
        shared.close();
        return exits.continues(label, after);
      },
    };
    return this.round(n, got.value, env, within, again);
  }
  round(n: Node, value: unknown, env: Env, exits: Exits, next: Next): Step {
    const isDeclared = n['left'].type === 'VariableDeclaration';
    const target = isDeclared ? n['left'].declarations[0].id : n['left'];
    const inner = this.enter(n, [], env);
    return this.bind(target, value, inner, exits, (bound) => this.run(n['body'], bound, exits, next, []), {
      isDeclared: isDeclared && n['left'].kind !== 'var',
    });
  }

  choose(n: Node, env: Env, exits: Exits, next: Next, labels: readonly string[]): Step {
    const cases = n['cases'] as Node[];
    const all = cases.flatMap((k) => k['consequent'] as Node[]);
    const within: Exits = {
      ...exits,
      breaks: (label, at) => (label === null || labels.includes(label) ? next(at) : exits.breaks(label, at)),
    };
    const go = (from: number, at: Env): Step =>
      this.list(
        cases.slice(from).flatMap((k) => k['consequent'] as Node[]),
        at,
        within,
        next,
      );
    return this.evaluate(n['discriminant'], env, exits, (value, entered) => {
      const test = (i: number, at: Env): Step => {
        const k = cases[i];
        if (!k) {
          const otherwise = cases.findIndex((each) => !each['test']);
          return otherwise < 0 ? next(at) : go(otherwise, at);
        }
        if (!k['test']) return test(i + 1, at);
        return this.evaluate(k['test'], at, exits, (other, after) =>
          other === value ? go(i, after) : test(i + 1, after),
        );
      };
      return test(0, this.enter(n, all, entered));
    });
  }

  attempt(n: Node, env: Env, outer: Exits, next: Next): Step {
    const { handler, finalizer } = n as { handler?: Node; finalizer?: Node } & Node;
    let exits = outer;
    let after = next;
    if (finalizer) {
      const first =
        <Args extends unknown[]>(goOn: (...args: [...Args, Env]) => Step) =>
        (...args: [...Args, Env]): Step => {
          const at = args.pop() as Env;
          return this.run(finalizer, at, outer, (done) => goOn(...(args as unknown as Args), done), []);
        };
      exits = {
        throws: first(outer.throws),
        returns: first(outer.returns),
        breaks: first(outer.breaks),
        continues: first(outer.continues),
      };
      after = first<[]>(next);
    }
    const guarded: Exits = handler
      ? {
          ...exits,
          throws: (error, at) => {
            const inner = this.enter(handler, [], at);
            const body = (bound: Env): Step => this.run(handler['body'], bound, exits, after, []);
            if (!handler['param']) return body(inner);
            return this.bind(handler['param'], error, inner, exits, body);
          },
        }
      : exits;
    return this.run(n['block'], env, guarded, after, []);
  }

  // -- patterns

  bind(pattern: Node, value: unknown, env: Env, exits: Exits, next: Next, how = { isDeclared: false }): Step {
    switch (pattern.type) {
      case 'Identifier':
        return next(how.isDeclared ? this.declare(pattern, value, env) : this.write(pattern, value, env));
      case 'MemberExpression':
        return this.place(pattern, env, exits, (object, key, after) => {
          (object as Record<string, unknown>)[key as string] = value;
          return next(after);
        });
      case 'AssignmentPattern':
        if (value !== undefined) return this.bind(pattern['left'], value, env, exits, next, how);
        return this.evaluate(pattern['right'], env, exits, (fallback, after) =>
          this.bind(pattern['left'], fallback, after, exits, next, how),
        );
      case 'ArrayPattern': {
        if (value === null || value === undefined) return exits.throws(new TypeError('not iterable'), env);
        const items = value as unknown[];
        const each = (i: number, at: Env): Step => {
          if (i === pattern['elements'].length) return next(at);
          const element = pattern['elements'][i] as Node | null;
          if (!element) return each(i + 1, at);
          const isRest = element.type === 'RestElement';
          return this.bind(
            isRest ? element['argument'] : element,
            isRest ? items.slice(i) : items[i],
            at,
            exits,
            (after) => each(i + 1, after),
            how,
          );
        };
        return each(0, env);
      }
      case 'ObjectPattern': {
        if (value === null || value === undefined) return exits.throws(new TypeError('no properties'), env);
        const taken: string[] = [];
        const each = (i: number, at: Env): Step => {
          const p = pattern['properties'][i] as Node | undefined;
          if (!p) return next(at);
          if (p.type === 'RestElement') {
            const rest = Object.fromEntries(Object.entries(value).filter(([key]) => !taken.includes(key)));
            return this.bind(p['argument'], rest, at, exits, (after) => each(i + 1, after), how);
          }
          const take = (key: unknown, after: Env): Step => {
            taken.push(String(key));
            return this.bind(
              p['value'],
              (value as Record<string, unknown>)[String(key)],
              after,
              exits,
              (done) => each(i + 1, done),
              how,
            );
          };
          return p['computed'] ? this.evaluate(p['key'], at, exits, take) : take(p['key'].name ?? p['key'].value, at);
        };
        return each(0, env);
      }
      default:
        throw new Error(`The reference does not know the pattern ${pattern.type}`);
    }
  }

  /** Object and key of a member expression. */
  place(n: Node, env: Env, exits: Exits, next: (object: unknown, key: unknown, env: Env) => Step): Step {
    return this.evaluate(n['object'], env, exits, (object, after) =>
      n['computed']
        ? this.evaluate(n['property'], after, exits, (key, done) => next(object, key, done))
        : next(object, n['property'].name, after),
    );
  }

  // -- expressions

  evaluate(n: Node, env: Env, exits: Exits, next: NextValue): Step {
    switch (n.type) {
      case 'Literal':
        return next(n['value'], env);
      case 'Identifier':
        return this.read(n, env, exits, next);
      case 'ThisExpression':
        return next(env.get(THIS), env);
      case 'ArrowFunctionExpression':
      case 'FunctionExpression':
        return next(this.close(n, env), env);
      case 'AwaitExpression':
        return this.evaluate(n['argument'], env, exits, next);
      case 'SequenceExpression':
        return this.all(n['expressions'], env, exits, (values, after) => next(values.at(-1), after));
      case 'TemplateLiteral':
        return this.all(n['expressions'], env, exits, (values, after) =>
          next(
            n['quasis']
              .map((q: Node, i: number) => q['value'].cooked + (i < values.length ? String(values[i]) : ''))
              .join(''),
            after,
          ),
        );
      case 'ArrayExpression':
        return this.all(n['elements'], env, exits, next);
      case 'ObjectExpression':
        return this.object(n['properties'], 0, {}, env, exits, next);
      case 'UnaryExpression':
        return this.evaluate(n['argument'], env, exits, (value, after) => next(unary(n['operator'], value), after));
      case 'BinaryExpression':
        return this.all([n['left'], n['right']], env, exits, ([a, b], after) =>
          next(binary(n['operator'], a, b), after),
        );
      case 'LogicalExpression':
        return this.evaluate(n['left'], env, exits, (left, after) =>
          goesOn(n['operator'], left) ? this.evaluate(n['right'], after, exits, next) : next(left, after),
        );
      case 'ConditionalExpression':
        return this.evaluate(n['test'], env, exits, (test, after) =>
          this.evaluate(test ? n['consequent'] : n['alternate'], after, exits, next),
        );
      case 'AssignmentExpression':
        return this.assignment(n, env, exits, next);
      case 'UpdateExpression': {
        const step = (value: unknown): number => Number(value) + (n['operator'] === '++' ? 1 : -1);
        if (n['argument'].type === 'Identifier')
          return this.read(n['argument'], env, exits, (value, after) =>
            next(n['prefix'] ? step(value) : Number(value), this.write(n['argument'], step(value), after)),
          );
        return this.place(n['argument'], env, exits, (object, key, after) => {
          const holder = object as Record<string, number>;
          const value = Number(holder[key as string]);
          holder[key as string] = step(value);
          return next(n['prefix'] ? step(value) : value, after);
        });
      }
      case 'ChainExpression':
        return this.chain(n['expression'], env, exits, next, (after) => next(undefined, after));
      case 'MemberExpression':
      case 'CallExpression':
        return this.chain(n, env, exits, next, null);
      default:
        throw new Error(`The reference does not know ${n.type}`);
    }
  }

  /** Evaluates from left to right; a spread gives all its elements. */
  all(list: readonly (Node | null)[], env: Env, exits: Exits, next: (values: any[], env: Env) => Step): Step {
    const each = (i: number, values: readonly unknown[], at: Env): Step => {
      const n = list[i];
      if (i === list.length) return next([...values], at);
      if (!n) return each(i + 1, [...values, undefined], at);
      if (n.type === 'SpreadElement')
        return this.evaluate(n['argument'], at, exits, (value, after) =>
          each(i + 1, [...values, ...(value as unknown[])], after),
        );
      return this.evaluate(n, at, exits, (value, after) => each(i + 1, [...values, value], after));
    };
    return each(0, [], env);
  }

  object(properties: readonly Node[], i: number, sofar: object, env: Env, exits: Exits, next: NextValue): Step {
    const p = properties[i];
    // Each resumption builds an object of its own.
    if (!p) return next({ ...sofar }, env);
    const go = (more: object, after: Env): Step =>
      this.object(properties, i + 1, { ...sofar, ...more }, after, exits, next);
    if (p.type === 'SpreadElement')
      return this.evaluate(p['argument'], env, exits, (value, after) => go(value as object, after));
    const valued = (key: unknown, at: Env): Step =>
      this.evaluate(p['value'], at, exits, (value, after) => go({ [String(key)]: value }, after));
    return p['computed'] ? this.evaluate(p['key'], env, exits, valued) : valued(p['key'].name ?? p['key'].value, env);
  }

  assignment(n: Node, env: Env, exits: Exits, next: NextValue): Step {
    const left = n['left'] as Node;
    const operator = (n['operator'] as string).slice(0, -1);
    const isLogical = operator === '&&' || operator === '||' || operator === '??';
    if (left.type.endsWith('Pattern'))
      return this.evaluate(n['right'], env, exits, (value, after) =>
        this.bind(left, value, after, exits, (done) => next(value, done)),
      );
    if (left.type === 'Identifier') {
      const store = (value: unknown, after: Env): Step => next(value, this.write(left, value, after));
      if (operator === '') return this.evaluate(n['right'], env, exits, store);
      return this.read(left, env, exits, (old, at) =>
        isLogical && !goesOn(operator, old)
          ? next(old, at)
          : this.evaluate(n['right'], at, exits, (value, after) =>
              store(isLogical ? value : binary(operator, old, value), after),
            ),
      );
    }
    return this.place(left, env, exits, (object, key, at) => {
      const holder = object as Record<string, unknown>;
      const store = (value: unknown, after: Env): Step => {
        holder[key as string] = value;
        return next(value, after);
      };
      if (operator === '') return this.evaluate(n['right'], at, exits, store);
      const old = holder[key as string];
      if (isLogical && !goesOn(operator, old)) return next(old, at);
      return this.evaluate(n['right'], at, exits, (value, after) =>
        store(isLogical ? value : binary(operator, old, value), after),
      );
    });
  }

  /** Members and calls; `skip`: where a `?.` on nothing leads. */
  chain(n: Node, env: Env, exits: Exits, next: NextValue, skip: Next | null): Step {
    const inner = (m: Node, at: Env, then: NextValue): Step =>
      skip && (m.type === 'MemberExpression' || m.type === 'CallExpression')
        ? this.chain(m, at, exits, then, skip)
        : this.evaluate(m, at, exits, then);
    if (n.type === 'MemberExpression')
      return inner(n['object'], env, (object, after) => {
        if (n['optional'] && (object === null || object === undefined)) return skip!(after);
        const get = (key: unknown, at: Env): Step => {
          if (object === null || object === undefined) return exits.throws(new TypeError('no properties'), at);
          return next((object as Record<string, unknown>)[key as string], at);
        };
        return n['computed'] ? this.evaluate(n['property'], after, exits, get) : get(n['property'].name, after);
      });
    const called = (f: unknown, self: unknown, at: Env): Step => {
      if (n['optional'] && (f === null || f === undefined)) return skip!(at);
      return this.all(n['arguments'], at, exits, (args, after) => this.call(f, self, args, after, exits, next));
    };
    const callee = n['callee'] as Node;
    if (callee.type !== 'MemberExpression') return inner(callee, env, (f, after) => called(f, undefined, after));
    return inner(callee['object'], env, (object, after) => {
      if (callee['optional'] && (object === null || object === undefined)) return skip!(after);
      const method = (key: unknown, at: Env): Step => {
        if (object === null || object === undefined) return exits.throws(new TypeError('no properties'), at);
        return called((object as Record<string, unknown>)[key as string], object, at);
      };
      return callee['computed']
        ? this.evaluate(callee['property'], after, exits, method)
        : method(callee['property'].name, after);
    });
  }

  call(f: unknown, self: unknown, args: unknown[], env: Env, exits: Exits, next: NextValue): Step {
    if (f === ASK) {
      this.shown = { seen: `asks ${String(args[0])}`, answer: (value) => this.go(() => next(value, env)) };
      return null;
    }
    const code = codeOf(f);
    if (code?.node['async'])
      return this.enterFunction(code, self, args, {
        returns: (value) => () => next(value, env),
        throws: (error) => () => exits.throws(error, env),
      });
    let value: unknown;
    try {
      if (typeof f !== 'function') throw new TypeError('not a function');
      value = code ? this.callNow(f, self, args) : Reflect.apply(f, self, args);
    } catch (error) {
      return exits.throws(error, env);
    }
    return next(value, env);
  }
}

const UNSET = Symbol('unset');
const ASK = Symbol('ask');

/** A one-shot iterator, and how far anybody has taken it. */
class Shared {
  readonly #iterator: Iterator<unknown>;
  #taken = 0;
  #isClosed = false;
  constructor(iterable: Iterable<unknown>) {
    this.#iterator = iterable[Symbol.iterator]();
  }
  take(at: number): IteratorResult<unknown> | null {
    if (at !== this.#taken || this.#isClosed) return null;
    const result = this.#iterator.next();
    if (!result.done) this.#taken++;
    return result;
  }
  close(): void {
    this.#isClosed = true;
    this.#iterator.return?.();
  }
}

/** Runs `async function main(ask, b)` up to its first question. */
export function interpret(source: string, b: unknown, natives: Readonly<Record<string, unknown>>): Shown {
  const program = parse(source, { ecmaVersion: 'latest' }) as unknown as Node;
  resolveNames(program);
  const machine = new Machine(natives);
  const show = natives['show'] as (value: unknown) => string;
  const top = machine.enter(program, program['body'], new Map());
  const main = [...top.values()].find((each) => codeOf(each)?.node['id']?.name === 'main');
  return machine.go(
    machine.enterFunction(codeOf(main)!, undefined, [ASK, b], {
      returns: (value) => {
        machine.shown = { seen: `returns ${show(value)}`, answer: null };
        return null;
      },
      throws: (error) => {
        const name = error instanceof Error ? ((error as Error & { code?: string }).code ?? error.name) : show(error);
        machine.shown = { seen: `throws ${name}`, answer: null };
        return null;
      },
    }),
  );
}
