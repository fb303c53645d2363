/** Which variable each name of a program means, and which locals all closures and resumptions share. */

/** A node of the syntax tree. */
export type Node = { type: string; start: number; end: number; [key: string]: any };

export class Variable {
  readonly name: string;
  readonly kind: string;
  readonly fn: Fn;
  /** The loops in whose every round it is made anew. */
  readonly loops: readonly Node[];
  readonly uses: Use[] = [];
  /** One for all closures and resumptions. */
  isShared = false;
  /** Made where its block begins, because a function that is declared there uses it. */
  isEarly = false;
  constructor(name: string, kind: string, fn: Fn, loops: readonly Node[]) {
    this.name = name;
    this.kind = kind;
    this.fn = fn;
    this.loops = loops;
  }
}

export interface Use {
  start: number;
  /** Where a written value is in place. */
  end: number;
  isWrite: boolean;
  isInit: boolean;
  /** In the variable's own function: where the closure is made that holds the use, or null. */
  madeAt: number | null;
  loops: readonly Node[];
}

export interface Fn {
  parent: Fn | null;
  madeAt: number;
  loops: readonly Node[];
}

export interface Scope {
  parent: Scope | null;
  fn: Fn;
  loops: readonly Node[];
  variables: Map<string, Variable>;
}

export const scopes: WeakMap<Node, Scope> = new WeakMap();
export const variables: WeakMap<Node, Variable> = new WeakMap();

export function* namesIn(pattern: Node | null): Generator<Node> {
  if (!pattern) return;
  switch (pattern.type) {
    case 'Identifier':
      yield pattern;
      return;
    case 'ObjectPattern':
      for (const each of pattern['properties'])
        yield* namesIn(each.type === 'RestElement' ? each.argument : each.value);
      return;
    case 'ArrayPattern':
      for (const each of pattern['elements']) yield* namesIn(each);
      return;
    case 'AssignmentPattern':
      yield* namesIn(pattern['left']);
      return;
    case 'RestElement':
      yield* namesIn(pattern['argument']);
  }
}

const isFunction = (n: Node): boolean => /Function/.test(n.type);
const isLoop = (n: Node): boolean => /^(For|While|DoWhile)/.test(n.type);

function children(n: Node): Node[] {
  return Object.entries(n)
    .filter(([key]) => key !== 'parent')
    .flatMap(([, value]) => value as unknown)
    .filter((value): value is Node => typeof (value as Node | null)?.type === 'string');
}

export function resolveNames(program: Node): void {
  const root: Fn = { parent: null, madeAt: 0, loops: [] };
  const all: Variable[] = [];
  const open = (n: Node, parent: Scope | null, fn: Fn, loops: readonly Node[]): Scope => {
    const scope = { parent, fn, loops, variables: new Map() };
    scopes.set(n, scope);
    return scope;
  };
  const declare = (scope: Scope, name: string, kind: string): void => {
    if (scope.variables.has(name)) return;
    const variable = new Variable(name, kind, scope.fn, scope.loops);
    scope.variables.set(name, variable);
    all.push(variable);
  };
  const declareBlock = (scope: Scope, body: Node[]): void => {
    for (const s of body) {
      if (s.type === 'FunctionDeclaration') declare(scope, s['id'].name, 'function');
      if (s.type === 'VariableDeclaration' && s['kind'] !== 'var')
        for (const d of s['declarations']) for (const n of namesIn(d.id)) declare(scope, n['name'], s['kind']);
    }
  };
  const declareVars = (scope: Scope, n: Node): void => {
    if (isFunction(n)) return;
    if (n.type === 'VariableDeclaration' && n['kind'] === 'var')
      for (const d of n['declarations']) for (const x of namesIn(d.id)) declare(scope, x['name'], 'var');
    for (const each of children(n)) declareVars(scope, each);
  };
  const use = (n: Node, scope: Scope, loops: readonly Node[], write: Partial<Use> = {}): void => {
    let found: Variable | undefined;
    for (let s: Scope | null = scope; s && !found; s = s.parent) found = s.variables.get(n['name']);
    if (!found) return;
    variables.set(n, found);
    let closure: Fn | null = null;
    for (let fn: Fn = scope.fn; fn !== found.fn; fn = fn.parent!) closure = fn;
    found.uses.push({
      start: n.start,
      end: n.end,
      isWrite: false,
      isInit: false,
      madeAt: closure?.madeAt ?? null,
      loops: closure?.loops ?? loops,
      ...write,
    });
  };
  const assign = (pattern: Node | null, scope: Scope, loops: readonly Node[], end: number, isInit: boolean): void => {
    switch (pattern?.type) {
      case 'Identifier':
        use(pattern, scope, loops, { isWrite: true, isInit, end });
        return;
      case 'ObjectPattern':
        for (const each of pattern['properties']) {
          if (each.computed) visit(each.key, scope, loops);
          assign(each.type === 'RestElement' ? each.argument : each.value, scope, loops, end, isInit);
        }
        return;
      case 'ArrayPattern':
        for (const each of pattern['elements']) assign(each, scope, loops, end, isInit);
        return;
      case 'AssignmentPattern':
        assign(pattern['left'], scope, loops, end, isInit);
        visit(pattern['right'], scope, loops);
        return;
      case 'RestElement':
        assign(pattern['argument'], scope, loops, end, isInit);
        return;
      default:
        visit(pattern, scope, loops);
    }
  };
  const visit = (n: Node | null | undefined, scope: Scope, loops: readonly Node[]): void => {
    if (!n) return;
    if (isFunction(n)) {
      const isDeclaration = n.type === 'FunctionDeclaration';
      const fn: Fn = { parent: scope.fn, madeAt: isDeclaration ? n['blockStart'] : n.start, loops };
      if (isDeclaration) use(n['id'], scope, loops, { isWrite: true, isInit: true, end: n['blockStart'] });
      const inner = open(n, scope, fn, []);
      for (const p of n['params']) for (const x of namesIn(p)) declare(inner, x['name'], 'param');
      for (const p of n['params']) assign(p, inner, [], p.end, true);
      if (n['body'].type !== 'BlockStatement') {
        visit(n['body'], inner, []);
        return;
      }
      declareVars(inner, n['body']);
      declareBlock(inner, n['body'].body);
      for (const s of n['body'].body) visitIn(n['body'].start, s, inner, []);
      return;
    }
    switch (n.type) {
      case 'Identifier':
        use(n, scope, loops);
        return;
      case 'MemberExpression':
        visit(n['object'], scope, loops);
        if (n['computed']) visit(n['property'], scope, loops);
        return;
      case 'Property':
        if (n['computed']) visit(n['key'], scope, loops);
        visit(n['value'], scope, loops);
        return;
      case 'LabeledStatement':
        visit(n['body'], scope, loops);
        return;
      case 'BreakStatement':
      case 'ContinueStatement':
        return;
      case 'VariableDeclaration':
        for (const d of n['declarations']) {
          visit(d.init, scope, loops);
          if (n['kind'] !== 'var' || d.init) assign(d.id, scope, loops, d.end, n['kind'] !== 'var');
          else for (const x of namesIn(d.id)) use(x, scope, loops);
        }
        return;
      case 'AssignmentExpression':
        assign(n['left'], scope, loops, n.end, false);
        if (n['operator'] !== '=' && n['left'].type === 'Identifier') use(n['left'], scope, loops);
        visit(n['right'], scope, loops);
        return;
      case 'UpdateExpression':
        assign(n['argument'], scope, loops, n.end, false);
        return;
      case 'BlockStatement': {
        const inner = open(n, scope, scope.fn, loops);
        declareBlock(inner, n['body']);
        for (const s of n['body']) visitIn(n.start, s, inner, loops);
        return;
      }
      case 'SwitchStatement': {
        visit(n['discriminant'], scope, loops);
        const inner = open(n, scope, scope.fn, loops);
        for (const k of n['cases']) declareBlock(inner, k.consequent);
        for (const k of n['cases']) {
          visit(k.test, inner, loops);
          for (const s of k.consequent) visitIn(n.start, s, inner, loops);
        }
        return;
      }
      case 'CatchClause': {
        const inner = open(n, scope, scope.fn, loops);
        for (const x of namesIn(n['param'])) declare(inner, x['name'], 'catch');
        assign(n['param'], inner, loops, n['param']?.end ?? 0, true);
        visit(n['body'], inner, loops);
        return;
      }
      case 'ForStatement': {
        const head = open(n, scope, scope.fn, loops);
        if (n['init']?.type === 'VariableDeclaration') declareBlock(head, [n['init']]);
        visit(n['init'], head, loops);
        for (const part of [n['test'], n['update'], n['body']]) visit(part, head, [...loops, n]);
        return;
      }
      case 'ForOfStatement':
      case 'ForInStatement': {
        visit(n['right'], scope, loops);
        const within = [...loops, n];
        const head = open(n, scope, scope.fn, within);
        if (n['left'].type === 'VariableDeclaration') declareBlock(head, [n['left']]);
        const target = n['left'].type === 'VariableDeclaration' ? n['left'].declarations[0].id : n['left'];
        assign(
          target,
          head,
          within,
          n['right'].end,
          n['left'].type === 'VariableDeclaration' && n['left'].kind !== 'var',
        );
        visit(n['body'], head, within);
        return;
      }
      default:
        for (const each of children(n)) visit(each, scope, isLoop(n) ? [...loops, n] : loops);
    }
  };
  const visitIn = (blockStart: number, s: Node, scope: Scope, loops: readonly Node[]): void => {
    if (s.type === 'FunctionDeclaration') s['blockStart'] = blockStart;
    visit(s, scope, loops);
  };
  const top = open(program, null, root, []);
  declareBlock(top, program['body']);
  for (const s of program['body']) visitIn(0, s, top, []);
  for (const each of all) share(each);
}

/** A local is shared if a closure uses it, unless every assignment is certainly over, for good, when the closure is made. */
function share(variable: Variable): void {
  const { uses, loops } = variable;
  const captures = uses.filter((each) => each.madeAt !== null);
  const writes = uses.filter((each) => each.isWrite);
  const meet = (a: Use, b: Use): boolean => a.loops.some((loop) => !loops.includes(loop) && b.loops.includes(loop));
  variable.isShared =
    variable.kind !== 'function' &&
    captures.length > 0 &&
    writes.some((w) => w.madeAt !== null || captures.some((c) => meet(w, c) || w.end > c.madeAt!));
  const declaredAt = Math.max(-1, ...writes.filter((each) => each.isInit).map((each) => each.end));
  variable.isEarly =
    variable.isShared &&
    (declaredAt < 0 || uses.some((each) => !each.isInit && (each.madeAt ?? each.start) < declaredAt));
}
