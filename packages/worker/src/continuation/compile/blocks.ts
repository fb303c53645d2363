import {
  assign,
  block,
  changed,
  declare,
  id,
  labeled,
  member,
  node,
  returning,
  sequence,
  statement,
  undef,
  type Node,
} from './ast.ts';
import type { Emitter } from './emit.ts';
import { isMovable } from './lifting.ts';
import { pattern } from './references.ts';
import type { Scope, Variable } from './scope.ts';
import { box } from './statements.ts';

/*
 * Blocks that are left native, where some of their variables are opened: see openScopes. They begin with a declaration of these and
 * with the functions that are declared in them; the author's own declarations become assignments.
 */

const openedIn = (scope: Scope | null | undefined): Variable[] =>
  scope ? [...scope.variables.values()].filter((v) => v.isOpened) : [];

/** `let a = { v: undefined }, b = $rt.unset;` */
function opening(e: Emitter, variables: readonly Variable[], values?: ReadonlyMap<Variable, Node>): Node[] {
  const declarations = variables.map((v) => {
    const value = values?.get(v) ?? (v.needsCheck ? member(id(e.context.words.runtime), 'unset') : undef());
    return node('VariableDeclarator', { id: id(v.emitName), init: v.isBoxed ? box(value) : value });
  });
  return declarations.length ? [node('VariableDeclaration', { kind: 'let', declarations })] : [];
}

/** The function declarations of a list, made where its block begins. */
function hoisted(e: Emitter, body: readonly Node[]): Node[] {
  return body
    .filter(isMade)
    .map((s) => e.map(statement(assign(s['id'], { ...s, type: 'FunctionExpression', id: null }, '=', s))));
}
/** It is made by the compiler's code at the beginning of its block. */
export const isMade = (s: Node): boolean =>
  s.type === 'FunctionDeclaration' &&
  s.$use !== undefined &&
  s.$use.kind !== 'declared' &&
  isMovable(s['id'].$ref.variable);

/** A list of statements, with its beginning. */
export function openedList(e: Emitter, body: Node[], scope: Scope | null | undefined): (Node | null)[] {
  if (!e.context.saved) return e.list(body);
  return [...opening(e, openedIn(scope)), ...hoisted(e, body), ...e.list(body)];
}

/** What is left, at its place, of a function declaration that is made elsewhere: in sloppy code, the assignment to a `var`. */
export function placeOfDeclaration(e: Emitter, s: Node): Node[] {
  const outer = e.fn.isResumable ? undefined : e.fn.blockFunctions.get(s);
  if (!outer) return [];
  const ref = { ...s['id'].$ref, variable: outer, isInit: false };
  return [
    e.map(
      statement(assign({ ...id(outer.name), $ref: ref }, { ...s['id'], $ref: { ...s['id'].$ref, isWrite: false } })),
    ),
  ];
}

/** A function that is no resumable one. */
export function openedFunction(e: Emitter, n: Node): Node {
  const fn = n.$fn!,
    params = openedIn(fn.scope).filter((v) => v.kind === 'param'),
    inBody = [...openedIn(fn.scope).filter((v) => v.kind !== 'param'), ...openedIn(fn.bodyScope)];
  const list = natively(params, () => (n['params'] as Node[]).map((p) => pattern(e, p)));
  if (!e.context.saved) return changed(n, { params: list, body: e.map(n['body']) });
  const values = new Map<Variable, Node>(params.map((v) => [v, id(v.name)]));
  for (const v of inBody)
    if (v.kind === 'var' && v.scope === fn.bodyScope && fn.scope.variables.has(v.name)) values.set(v, id(v.name));
  const begin = opening(e, [...params, ...inBody], values);
  if (n['body'].type !== 'BlockStatement') {
    const value = e.map(n['body']);
    if (!begin.length) return changed(n, { params: list, body: value });
    return { ...n, params: list, expression: false, body: block([...begin, returning(value)]) };
  }
  const statements = n['body'].body as Node[],
    directives = statements.filter((s) => s['directive']),
    rest = statements.filter((s) => !s['directive']);
  return changed(n, {
    params: list,
    body: changed(n['body'], { body: [...directives, ...begin, ...hoisted(e, rest), ...e.list(rest)] }),
  });
}

/** Parameters have their own names in the function's head; their boxes are made after it. */
function natively<T>(variables: readonly Variable[], make: () => T): T {
  const before = variables.map(({ emitName, isBoxed }) => ({ emitName, isBoxed }));
  for (const v of variables) Object.assign(v, { emitName: v.name, isBoxed: false, isOpened: false });
  try {
    return make();
  } finally {
    variables.forEach((v, i) => Object.assign(v, before[i], { isOpened: true }));
  }
}

/** A declaration of opened variables as assignments; null if it has none of these. */
export function openedDeclaration(e: Emitter, n: Node): Node[] | null {
  const declarators = n['declarations'] as Node[];
  if (!declarators.some(isOpenedDeclarator)) return null;
  return declarators.flatMap((d) => {
    if (!isOpenedDeclarator(d)) return [e.map(changed(n, { declarations: [d] }))];
    return d['init'] || n['kind'] !== 'var' ? [e.map(statement(assignmentOf(d)))] : [];
  });
}
const isOpenedDeclarator = (d: Node): boolean => firstName(d['id'])?.$ref?.variable?.isOpened === true;
const assignmentOf = (d: Node): Node => assign(d['id'], d['init'] ?? undef(), '=', d);

/** Any name that a pattern binds: if one is opened, all are. */
function firstName(pattern: Node | null): Node | undefined {
  switch (pattern?.type) {
    case 'Identifier':
      return pattern;
    case 'ObjectPattern':
      return first(pattern['properties'], (p) => (p.type === 'RestElement' ? p['argument'] : p['value']));
    case 'ArrayPattern':
      return first(pattern['elements'], (x) => x);
    case 'AssignmentPattern':
      return firstName(pattern['left']);
    case 'RestElement':
      return firstName(pattern['argument']);
    default:
      return undefined;
  }
}
function first(list: (Node | null)[], inside: (n: Node) => Node): Node | undefined {
  for (const n of list) {
    const found = n && firstName(inside(n));
    if (found) return found;
  }
  return undefined;
}

/** A class that is declared in a block. */
export function classDeclaration(e: Emitter, n: Node): Node {
  const value = { ...n, type: 'ClassExpression' };
  if (n['id'].$ref.variable.isOurs) return e.map(statement(assign(n['id'], value, '=', n)));
  return declare('let', id(n['id'].name, n['id']), e.map(value));
}

/** A loop, with its labels: they must stand right before it. */
export function forStatement(e: Emitter, n: Node, labels: readonly string[]): Node {
  const opened = openedIn(n.$scope),
    init = n['init'] as Node | null,
    isDeclaration = init?.type === 'VariableDeclaration',
    label = (loop: Node): Node => labels.reduceRight((body, name) => labeled(name, body), loop);
  const isOpened = isDeclaration && (init['declarations'] as Node[]).some(isOpenedDeclarator);
  const parts = isOpened
    ? (init['declarations'] as Node[])
        .filter((d) => d['init'] || init['kind'] !== 'var')
        .map((d) => e.map(assignmentOf(d)))
    : [];
  // Each round has variables of its own, and so has what is before the first one.
  const copies = opened
    .filter((v) => v.isBoxed && v.kind === 'let')
    .map((v) => assign(id(v.emitName), box(member(id(v.emitName), 'v'))));
  const isCaptured = opened.some((v) => v.refs.some((r) => r.closure && r.closureStart < (init?.end ?? 0)));
  if (isCaptured) parts.push(...copies);
  const update = [...copies, ...(n['update'] ? [e.map(n['update'])] : [])];
  const loop = label(
    changed(n, {
      init: isOpened ? sequenceOf(parts) : init && e.map(init),
      test: n['test'] && e.map(n['test']),
      update: sequenceOf(update),
      body: e.map(n['body']),
    }),
  );
  return opened.length ? block([...opening(e, opened), loop]) : loop;
}
const sequenceOf = (list: Node[]): Node | null => (list.length > 1 ? sequence(list) : (list[0] ?? null));

/** `for..of` and `for..in`. */
export function forEachStatement(e: Emitter, n: Node): Node {
  const left = n['left'] as Node,
    opened = openedIn(n.$scope),
    isDeclaration = left.type === 'VariableDeclaration',
    right = e.map(n['right']);
  if (!opened.length) {
    const isOpened = isDeclaration && isOpenedDeclarator(left['declarations'][0]);
    return changed(n, {
      left: isOpened ? pattern(e, left['declarations'][0].id) : isDeclaration ? e.map(left) : pattern(e, left),
      right,
      body: e.map(n['body']),
    });
  }
  const item = id(e.context.names.local('$item')),
    { id: target } = left['declarations'][0] as { id: Node };
  return {
    ...n,
    left: declare('const', item, null),
    right,
    body: block([...opening(e, opened), e.map(statement(assign(target, item, '=', target))), e.map(n['body'])]),
  };
}

export function catchClause(e: Emitter, n: Node): Node {
  const opened = openedIn(n.$scope);
  if (!opened.length) return changed(n, { param: n['param'] && pattern(e, n['param']), body: e.map(n['body']) });
  const caught = id(e.context.names.local('$caught'));
  return {
    ...n,
    param: caught,
    body: block([
      ...opening(e, opened),
      e.map(statement(assign(n['param'], caught, '=', n['param']))),
      e.map(n['body']),
    ]),
  };
}

export function switchStatement(e: Emitter, n: Node): Node {
  const cases = n['cases'] as Node[],
    made = cases.flatMap((k) => hoisted(e, k['consequent'])),
    opened = openedIn(n.$scope);
  const mapped = changed(n, {
    discriminant: e.map(n['discriminant']),
    cases: cases.map((k) => changed(k, { test: k['test'] && e.map(k['test']), consequent: e.list(k['consequent']) })),
  });
  return opened.length || made.length ? block([...opening(e, opened), ...made, mapped]) : mapped;
}
