import { CHILD_KEYS } from './child-keys.ts';
import type { CodeUse } from './lifting.ts';
import type { Ref, FunctionInfo, Loop, Scope, Variable } from './scope.ts';

/**
 * An ESTree node, loosely typed: the passes dispatch on `type`, and a transform builds and rewrites nodes all day.
 * The `$` properties are annotations of the passes; the printer does not look at them.
 */
export interface Node {
  type: string;
  start: number;
  end: number;
  /** The node contains an await that belongs to the function around it. */
  $awaits?: boolean;
  /** On an Identifier: the reference that scope analysis resolved (or a temporary made by the transform). */
  $ref?: Ref;
  /** On a function: what the analysis knows about it. */
  $fn?: FunctionInfo;
  /** On a node that opens a scope. */
  $scope?: Scope;
  /** On a closure: variables of the function around it that it reads or writes. */
  $captures?: Set<Variable>;
  /** On a function or class: where it stands. */
  $within?: { scope: Scope; fn: FunctionInfo; loop: Loop | null };
  /** On a function or class, where continuations are to be saved: how saved ones name it. */
  $use?: CodeUse;
  [key: string]: any;
}

type Fields = Record<string, unknown>;

/** A node without a position of its own; `from` lends its position for the source map. Without one, `start` is negative. */
export function node(type: string, fields: Fields, from?: Node | null): Node {
  return { type, start: from?.start ?? -1, end: from?.end ?? -1, ...fields };
}

/** The node with the position of another. */
export const placed = (n: Node, from: Node): Node => ({ ...n, start: from.start, end: from.end });

/** A copy of the node with these fields; the node itself, if it has them: what no pass changes is printed as its author wrote it. */
export function changed(n: Node, fields: Fields): Node {
  for (const key in fields) if (!isSame(n[key], fields[key])) return { ...n, ...fields };
  return n;
}
/** One value, or lists of the same. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export const id = (name: string, from?: Node | null): Node => node('Identifier', { name }, from);
export const lit = (value: string | number | boolean | null): Node =>
  node('Literal', { value, raw: typeof value === 'string' ? quote(value) : String(value) });
export const undef = (): Node => node('UnaryExpression', { operator: 'void', prefix: true, argument: lit(0) });
export const member = (object: Node, property: string): Node =>
  node('MemberExpression', { object, property: id(property), computed: false, optional: false }, object);
export const index = (object: Node, property: Node, from?: Node): Node =>
  node('MemberExpression', { object, property, computed: true, optional: false }, from ?? object);
export const call = (callee: Node, args: (Node | null)[], from?: Node | null): Node =>
  node('CallExpression', { callee, arguments: args, optional: false }, from ?? callee);
export const assign = (left: Node, right: Node, operator = '=', from?: Node | null): Node =>
  node('AssignmentExpression', { operator, left, right }, from ?? right);
export const statement = (expression: Node): Node => node('ExpressionStatement', { expression }, expression);
export const block = (body: Node[], from?: Node | null): Node => node('BlockStatement', { body }, from);
export const ifThen = (test: Node, consequent: Node[], alternate: Node[] | null = null): Node =>
  node('IfStatement', { test, consequent: block(consequent), alternate: alternate ? block(alternate) : null }, test);
export const binary = (operator: string, left: Node, right: Node, from?: Node): Node =>
  node(
    operator === '&&' || operator === '||' || operator === '??' ? 'LogicalExpression' : 'BinaryExpression',
    { operator, left, right },
    from,
  );
export const not = (argument: Node): Node => node('UnaryExpression', { operator: '!', prefix: true, argument });
export const conditional = (test: Node, consequent: Node, alternate: Node): Node =>
  node('ConditionalExpression', { test, consequent, alternate });
export const sequence = (expressions: Node[]): Node => node('SequenceExpression', { expressions });
export const array = (elements: (Node | null)[]): Node => node('ArrayExpression', { elements });
export const spread = (argument: Node): Node => node('SpreadElement', { argument });
export const breakTo = (label: string): Node => node('BreakStatement', { label: id(label) });
export const throwing = (argument: Node): Node => node('ThrowStatement', { argument }, argument);
export const returning = (argument: Node | null): Node => node('ReturnStatement', { argument }, argument);
export const labeled = (label: string, body: Node): Node => node('LabeledStatement', { label: id(label), body });
export const whileTrue = (body: Node[], from?: Node): Node =>
  node('WhileStatement', { test: lit(true), body: block(body) }, from);
export const declare = (kind: string, target: Node, init: Node | null): Node =>
  node('VariableDeclaration', { kind, declarations: [node('VariableDeclarator', { id: target, init })] });
export const arrow = (params: Node[], body: Node, isAsync = false, from?: Node | null): Node =>
  node(
    'ArrowFunctionExpression',
    { params, body, async: isAsync, generator: false, expression: body.type !== 'BlockStatement' },
    from,
  );

/** Fixed text around nodes: printed as it stands, which is what the printer does fastest. It brings its own parentheses. */
export const raw = (parts: (string | Node)[], from?: Node | null): Node => node('Raw', { parts }, from);

/** `{ name: value }.name`: gives an anonymous function or class the name that its binding would have given it. */
export function named(value: Node, name: string): Node {
  const property = node('Property', {
    key: lit(name),
    value,
    kind: 'init',
    computed: name === '__proto__',
    method: false,
    shorthand: false,
  });
  return index(node('ObjectExpression', { properties: [property] }), lit(name));
}

/** A shorthand property or a method as `key: value`; but `__proto__: value` would be no property. */
export function spelledOut(p: Node, key: Node, value: Node): Node {
  const isPrototype =
    (p['shorthand'] || p['method']) && !p['computed'] && (key['name'] ?? key['value']) === '__proto__';
  return changed(p, {
    key: isPrototype ? lit('__proto__') : key,
    computed: isPrototype || p['computed'],
    value,
    method: false,
    shorthand: false,
  });
}

/** A function or class where it stands must not be named by what it is assigned to. */
export const nameless = (value: Node): Node => sequence([lit(0), value]);

/** A quoted string that is a valid JavaScript literal. */
export function quote(text: string): string {
  return JSON.stringify(text)
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
}

export const isFunction = (n: Node): boolean =>
  n.type === 'FunctionDeclaration' || n.type === 'FunctionExpression' || n.type === 'ArrowFunctionExpression';
export const isClass = (n: Node): boolean => n.type === 'ClassDeclaration' || n.type === 'ClassExpression';
/** A function or class that takes its name from what it is assigned to. */
export const isAnonymous = (n: Node): boolean =>
  n.type === 'ArrowFunctionExpression' || ((n.type === 'FunctionExpression' || n.type === 'ClassExpression') && !n.id);

/** Calls `visit` with the direct children of a node, in source order. */
export function eachChild(n: Node, visit: (child: Node) => void): void {
  for (const key of CHILD_KEYS[n.type]!) {
    const value = n[key] as Node | (Node | string | null)[] | null | undefined;
    if (Array.isArray(value)) {
      for (const item of value) if (item !== null && typeof item !== 'string') visit(item);
    } else if (value) visit(value);
  }
}

/** The direct children of a node, in source order. */
export function children(n: Node): Node[] {
  const out: Node[] = [];
  eachChild(n, (child) => out.push(child));
  return out;
}

/** The names that a pattern binds, as Identifier nodes. */
export function boundNames(pattern: Node | null): Node[] {
  const out: Node[] = [];
  bindNames(pattern, out);
  return out;
}
function bindNames(pattern: Node | null, out: Node[]): void {
  if (!pattern) return;
  switch (pattern.type) {
    case 'Identifier':
      out.push(pattern);
      break;
    case 'ObjectPattern':
      for (const p of pattern.properties) bindNames(p.type === 'RestElement' ? p.argument : p.value, out);
      break;
    case 'ArrayPattern':
      for (const e of pattern.elements) bindNames(e, out);
      break;
    case 'AssignmentPattern':
      bindNames(pattern.left, out);
      break;
    case 'RestElement':
      bindNames(pattern.argument, out);
      break;
  }
}

/** A parameter's pattern holds code of its own: a default value or a computed key. */
export function holdsExpression(pattern: Node | null): boolean {
  switch (pattern?.type) {
    case 'AssignmentPattern':
      return true;
    case 'ObjectPattern':
      return (pattern['properties'] as Node[]).some(
        (p) => p['computed'] === true || holdsExpression(p['value'] ?? p['argument']),
      );
    case 'ArrayPattern':
      return (pattern['elements'] as (Node | null)[]).some(holdsExpression);
    case 'RestElement':
      return holdsExpression(pattern['argument']);
    default:
      return false;
  }
}

const directives = (body: Node): string[] =>
  body.type === 'BlockStatement' || body.type === 'Program'
    ? (body.body as Node[]).filter((s) => s['directive']).map((s) => s['directive'] as string)
    : [];
/** The function, script or module begins with this directive. */
export const hasDirective = (body: Node, text: string): boolean => directives(body).includes(text);

/** Whether a returned expression could be a promise, whose provenance must then be remembered. */
export function mayBePromise(n: Node): boolean {
  switch (n.type) {
    case 'Literal':
    case 'TemplateLiteral':
    case 'ArrayExpression':
    case 'ObjectExpression':
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
    case 'ClassExpression':
    case 'UnaryExpression':
    case 'UpdateExpression':
    case 'BinaryExpression':
      return false;
    case 'ConditionalExpression':
      return mayBePromise(n['consequent']) || mayBePromise(n['alternate']);
    case 'LogicalExpression':
      return mayBePromise(n['left']) || mayBePromise(n['right']);
    case 'SequenceExpression':
      return mayBePromise(n['expressions'].at(-1));
    case 'TaggedTemplateExpression':
    case 'AwaitExpression':
      return n.type !== 'AwaitExpression';
    case 'Identifier':
      return n['name'] !== 'undefined';
    default:
      return true;
  }
}
