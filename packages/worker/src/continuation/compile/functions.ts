import {
  arrow,
  assign,
  block,
  call,
  declare,
  id,
  index,
  lit,
  member,
  node,
  raw,
  returning,
  statement,
  type Node,
} from './ast.ts';
import { liveAtAwaits } from './liveness.ts';
import { lower } from './expressions.ts';
import { jump } from './jumps.ts';
import { Lowering, type Vocabulary } from './lowering.ts';
import { numberAwaits } from './number.ts';
import { Reentry } from './reentry.ts';
import type { SavedCode } from './saved-code.ts';
import type { SourceLines } from './source-lines.ts';
import type { FunctionInfo, Scope, Variable } from './scope.ts';
import { enter, lowerList, raw as slot } from './statements.ts';
import type { CodeUse } from './lifting.ts';
import { hasSimpleParams, type Names } from './storage.ts';

/** The static description of a resumable function, which frames point to. */
export interface FunctionMeta {
  name: string;
  line: number;
  column: number;
  /** Its place among all functions of the module; only where frames can be saved. */
  code?: number;
  /** Names of the variables that a frame may hold, by index. */
  variables: string[];
  /** Indexes of those that are boxes `{v}`, shared with closures. */
  boxes: number[];
  /** Per await: its line, its column, how it was written, and the indexes of the variables that live across it; `isTail` leaves no frame. */
  awaits: { line: number; column: number; kind: AwaitKind; live: number[]; isTail: boolean }[];
}
/** How the awaited expression was written: what an unsafe context is explained with. */
export type AwaitKind = 'call' | 'combinator' | 'chained' | 'iterator' | 'value';

/** A resumable function, ready to be printed: a wrapper of the author's signature around a body that takes an activation. */
export interface CompiledFunction {
  params: Node[];
  bodyName: string;
  /** What the body takes after the activation, where it stands beside the wrapper instead of inside it; and what it is given. */
  bodyParams: Node[];
  bodyArgs: Node[];
  body: Node;
  isSibling: boolean;
  meta: FunctionMeta;
}

export interface FunctionContext {
  names: Names;
  words: Vocabulary;
  lines: SourceLines;
  isStress: boolean;
  /** Set where continuations are to be saved. */
  saved: SavedCode | null;
  nameOf: (fn: FunctionInfo) => string;
  metaAt: (meta: FunctionMeta) => () => Node;
}

/** Lowers, numbers, measures liveness, and makes the body enterable. */
export function compileFunction(fn: FunctionInfo, context: FunctionContext): CompiledFunction {
  const { names, words, lines, isStress } = context,
    n = fn.node,
    L = new Lowering(fn, names, words, context.saved !== null);
  const isSibling = context.saved
    ? fn.isBodyApart
    : n.type === 'FunctionDeclaration' &&
      !!n['id'] &&
      hasSimpleParams(n) &&
      !fn.usesThis &&
      !fn.usesArguments &&
      !isStress &&
      // In a resumable function, declarations become assignments.
      !fn.parent!.isResumable;
  const { wrapper, values } = parameters(n, names);
  const simple: [Variable, Node][] = [];
  const own = isSibling
    ? [...fn.scope.variables.values()].filter((v) => v.kind === 'this' || v.kind === 'arguments')
    : [];
  const lowered = L.collect(() => {
    if (hasSimpleParams(n)) n['params'].forEach((p: Node, i: number) => simple.push([p.$ref!.variable!, values[i]!]));
    enter(L, fn.scope);
    if (!hasSimpleParams(n)) n['params'].forEach((p: Node, i: number) => L.emit(...bindParameter(p, values[i]!)));
    if (fn.bodyScope) enterBody(L, fn.bodyScope, fn.scope);
    if (n['body'].type === 'BlockStatement') lowerList(L, n['body'].body, undefined);
    else L.scoped(() => lowerExpressionBody(L, n['body']));
  });
  const steps = numberAwaits(lowered);
  const { variables, live } = liveAtAwaits(fn, lowered, steps);
  const saved = variables.filter((v) => live.some((l) => l.includes(v.slot)));
  const meta: FunctionMeta = {
    name: context.nameOf(fn),
    ...(context.saved && { code: n.$use!.code }),
    ...lines.placeOf(n),
    variables: saved.map((v) => v.name),
    boxes: saved.flatMap((v, i) => (v.isBoxed ? [i] : [])),
    awaits: steps.map((s, i) => ({
      ...lines.placeOf(s['source']),
      kind: awaitKind(s['source']),
      live: live[i]!.map((slot) => saved.indexOf(variables[slot]!)).sort((a, b) => a - b),
      isTail: !isStress && s['isTail'] === true,
    })),
  };
  const reentry = new Reentry(words, isStress, context.metaAt(meta));
  const bodyName = names.numbered(isIdentifierName(meta.name) ? meta.name : 'anonymous');

  const hoisted = new Set<Variable>(L.temps);
  for (const scope of fn.scopes) for (const v of scope.variables.values()) if (v.isHoisted) hoisted.add(v);
  const passed = new Set(isSibling ? [...own, ...simple.map(([v]) => v)] : []);
  const declared = [...hoisted].filter((v) => !passed.has(v)).map((v) => v.emitName);
  const statements: Node[] = [];
  if (steps.length) {
    declared.push(`${words.pc} = 0`, `${words.at} = 0`, words.promise);
  }
  if (declared.length) statements.push(raw([`let ${declared.join(', ')};`]));
  const fresh = isSibling ? [] : simple.map(([v, value]) => raw([`${v.emitName} = `, value, ';']));
  if (!steps.length) statements.push(...fresh, ...lowered);
  else {
    statements.push(raw(restoring(words, saved, reentry.meta())));
    if (fresh.length) statements.push(raw(['else {\n', ...fresh.flatMap((each) => [each, '\n']), '}']));
    statements.push(
      raw([
        'try ',
        block(reentry.list(lowered)),
        ` catch (${words.error}) {\nif (!(${words.error} instanceof ${words.runtime}.Signal)) throw ${words.error};\n`,
        `return ${words.frame}.capture(${words.error}, ${words.promise}, ${words.at}, [${namesOf(saved)}], `,
        capturedBody(n, bodyName, L),
        ', ',
        reentry.meta(),
        ');\n}',
      ]),
    );
  }
  return {
    params: wrapper,
    bodyName,
    bodyParams: isSibling
      ? [
          ...own.map((v) => id(v.emitName)),
          ...(hasSimpleParams(n) ? simple.map(([v]) => slot(L, v)) : wrapper.map(withoutRest)),
        ]
      : [],
    bodyArgs: isSibling ? [...own.map((v) => id(v.name)), ...wrapper.map(withoutRest)] : [],
    body: block(statements),
    isSibling,
    meta,
  };
}

const namesOf = (variables: readonly Variable[]): string => variables.map((v) => v.emitName).join(', ');

/** `if ($f.pc !== 0) { $pc = $f.pc; const $s = $f.restore($meta(3), 2); a = $s[0]; b = $s[1]; }` */
function restoring(
  { frame, pc, saved: values }: Vocabulary,
  saved: readonly Variable[],
  meta: Node,
): (string | Node)[] {
  const begin = `if (${frame}.pc !== 0) {\n${pc} = ${frame}.pc;\n`;
  if (saved.length === 0) return [`${begin}}`];
  return [
    `${begin}const ${values} = ${frame}.restore(`,
    meta,
    `, ${saved.length});\n${saved.map((v, i) => `${v.emitName} = ${values}[${i}];\n`).join('')}}`,
  ];
}

const withoutRest = (p: Node): Node => (p.type === 'RestElement' ? (p['argument'] as Node) : p);

/** What a frame keeps of the function's code: the body, which for a closure to be saved knows what it captured. */
function capturedBody(n: Node, bodyName: string, L: Lowering): Node {
  const use = n.$use,
    owner = use?.kind === 'method' ? (n['$class'].$use as CodeUse) : use;
  if (!L.fn.isBodyApart || owner?.kind !== 'closure') return id(bodyName);
  return call(L.runtime('bodyOf'), [id(owner.keeper), ...(owner === use ? [] : [lit(use!.code)])]);
}

/** A `var` of the body that is named like a parameter begins with the parameter's value, and is another variable. */
function enterBody(L: Lowering, body: Scope, params: Scope): void {
  enter(L, body);
  for (const v of body.variables.values()) {
    const param = v.kind === 'var' ? params.variables.get(v.name) : undefined;
    if (param) L.emit(statement(assign(L.ref(v, true), L.ref(param))));
  }
}

/** `async (x) => expression` returns what `return expression` would. */
function lowerExpressionBody(L: Lowering, n: Node): void {
  if (n.type === 'AwaitExpression') {
    L.emit(
      node('AwaitStep', { target: null, isTail: true, argument: lower(L, n['argument']), source: n, $awaits: true }, n),
    );
    return;
  }
  const result = node('ReturnStatement', { argument: n }, n);
  jump(L, result, lower(L, n));
}

/** Parameters of the wrapper (with the author's `length`), and for each of the author's the value it was passed. */
function parameters(n: Node, names: Names): { wrapper: Node[]; values: Node[] } {
  const params = n['params'] as Node[],
    plain = params.findIndex((p) => p.type === 'AssignmentPattern' || p.type === 'RestElement');
  const count = plain < 0 ? params.length : plain;
  const wrapper: Node[] = [],
    values: Node[] = [];
  for (let i = 0; i < count; i++) {
    const name = names.local(`$p${i}`);
    wrapper.push(id(name));
    values.push(id(name));
  }
  if (count < params.length) {
    const rest = names.local('$rest');
    wrapper.push(node('RestElement', { argument: id(rest) }));
    for (let i = count; i < params.length; i++) {
      values.push(
        params[i]!.type === 'RestElement'
          ? i === count
            ? id(rest)
            : call(member(id(rest), 'slice'), [lit(i - count)])
          : index(id(rest), lit(i - count)),
      );
    }
  }
  return { wrapper, values };
}

/** Patterns and defaults are evaluated inside the body, so that their errors reject. */
function bindParameter(p: Node, value: Node): Node[] {
  if (p.type !== 'AssignmentPattern')
    return [statement(assign(p.type === 'RestElement' ? p['argument'] : p, value, '=', p))];
  const pair = (v: Node): Node =>
    node('Property', { key: id('v'), value: v, kind: 'init', computed: false, method: false, shorthand: false });
  return [
    statement(
      assign(
        node('ObjectPattern', { properties: [pair(p)] }),
        node('ObjectExpression', { properties: [pair(value)] }),
        '=',
        p,
      ),
    ),
  ];
}

function awaitKind(n: Node): AwaitKind {
  if (n.type !== 'AwaitExpression') return 'iterator';
  const e = n['argument'] as Node;
  if (e.type !== 'CallExpression') return 'value';
  const property = e['callee'].type === 'MemberExpression' ? e['callee'].property.name : '';
  if (property === 'then' || property === 'catch' || property === 'finally') return 'chained';
  if (e['callee'].object?.name === 'Promise') return 'combinator';
  return 'call';
}

const isIdentifierName = (name: string): boolean => /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name);

/** The wrapper's body: makes the activation, starts the body with it, and remembers the promise of the call. `from`: the function, for stacks. */
export function wrapperBody(
  compiled: CompiledFunction,
  body: Node,
  context: FunctionContext,
  directives: Node[],
  from: Node,
): Node {
  const { words, isStress } = context;
  const start = (): Node => call(id(compiled.bodyName), [id(words.frame), ...compiled.bodyArgs], from);
  const make = compiled.isSibling
    ? []
    : [declare('const', id(compiled.bodyName), bodyFunction(compiled, body, context))];
  if (isStress) {
    const body = compiled.bodyArgs.length ? arrow([id(words.frame)], start()) : id(compiled.bodyName);
    return block([...directives, ...make, returning(call(member(id(words.runtime), 'drive'), [body]))]);
  }
  return block([
    ...directives,
    ...make,
    raw([`const ${words.frame} = new ${words.runtime}.Activation();\nreturn ${words.frame}.promise = `, start(), ';']),
  ]);
}

/** The body as an arrow inside the wrapper: `this`, `arguments` and `super` stay the call's own. */
function bodyFunction(compiled: CompiledFunction, body: Node, context: FunctionContext): Node {
  return arrow([id(context.words.frame)], body, !context.isStress);
}
