import {
  array,
  arrow,
  assign,
  block,
  call,
  declare,
  id,
  index,
  isAnonymous,
  isClass,
  lit,
  named,
  node,
  raw,
  returning,
  sequence,
  spelledOut,
  statement,
  type Node,
} from './ast.ts';
import { classBody, functionNode, method } from './closures.ts';
import type { Emitter } from './emit.ts';
import { type CodeUse, spell } from './lifting.ts';
import type { SavedCode } from './saved-code.ts';

/** A function or class that can be saved, where it stands: the call of its maker, or a note of what the module has once. */
export function savedClosure(e: Emitter, saved: SavedCode, n: Node, use: CodeUse, name?: string): Node {
  return use.kind === 'once' ? once(e, saved, n, use, name) : made(e, saved, n, use, name);
}

function valueOf(e: Emitter, n: Node, name: string | undefined): Node {
  if (n['$isObjectMethod']) return methodValue(e, n, name);
  const value = isClass(n) ? classBody(e, n) : functionNode(e, n, name);
  return name !== undefined && isAnonymous(value) ? named(value, name) : value;
}

/** A method stays one: `{ add(x) { … } }.add`, or what `get` and `set` of a literal make. */
function methodValue(e: Emitter, n: Node, name = ''): Node {
  const kind = n['$kind'] as string,
    property = node('Property', {
      key: lit(name),
      value: method(e, n),
      kind,
      computed: name === '__proto__',
      method: kind === 'init',
      shorthand: false,
    }),
    literal = node('ObjectExpression', { properties: [property] });
  return kind === 'init' ? index(literal, lit(name)) : e.runtime('accessorOf', literal, lit(kind));
}

/**
 * `$rt.owned($module(), 7, (x) => …)`: its body is a function of the module, as that of a declared one is. What it uses of a block or
 * class around it can be seen only from where it stands, so there the body is made.
 */
function once(e: Emitter, saved: SavedCode, n: Node, use: CodeUse, name: string | undefined): Node {
  const compiled = n.$fn?.compiled,
    owned = e.runtime('owned', e.module(), lit(use.code), valueOf(e, n, name));
  if (!compiled?.isSibling) return owned;
  const body = bodyArrow(e, n),
    kept = assign(id(use.keeper), owned);
  saved.body(use.code, id(compiled.bodyName));
  saved.global(use.keeper);
  if (use.home || use.captures.length > 0) {
    saved.global(compiled.bodyName);
    return sequence([assign(id(compiled.bodyName), body), kept]);
  }
  saved.atEnd.push(functionDeclaration(compiled.bodyName, body));
  return kept;
}

const functionDeclaration = (name: string, { params, body, async: isAsync }: Node): Node =>
  node('FunctionDeclaration', { id: id(name), params, body, async: isAsync, generator: false });

/** Has the body of a class begin with giving the variable its value. */
function putInside(saved: SavedCode, home: Node, name: string, value: Node): void {
  saved.global(name);
  home.$use!.inside.push(statement(assign(id(name), value)));
}

/** `$c7(a, b)`, and in the module `function $c7(a, b) { return $rt.closure($module(), 7, [a, b], (x) => a + b + x) }`. */
function made(e: Emitter, saved: SavedCode, n: Node, use: CodeUse, name: string | undefined): Node {
  const args = use.captures.map((v) => id(spell(v, e.fn))),
    params = use.captures.map((v) =>
      v.kind === 'this' || v.kind === 'arguments' ? v.emitName : v.closureName || v.emitName,
    ),
    names = use.captures.map((v) => v.name);
  const pass = (what: string, value: Node): Node => {
    const param = e.context.names.local(`$${what}`);
    args.push(value);
    params.push(param);
    names.push(what);
    return id(param);
  };
  const apart = isClass(n) ? withoutExpressions(e, n, pass) : n,
    local: Node[] = [],
    value = valueOf(e, apart, name),
    compiled = n.$fn?.compiled;
  saved.infos[use.code]!.captures = names;
  const bodies: Node[] = [];
  if (compiled?.isSibling) {
    local.push(declare('const', id(compiled.bodyName), bodyArrow(e, n)));
    bodies.push(id(compiled.bodyName));
  } else if (isClass(n)) {
    const methods = methodsApart(n);
    if (methods.length) {
      local.push(raw([`let ${methods.map((m) => m.$fn!.compiled!.bodyName).join(', ')};`]));
      bodies.push(lit(null), saved.late(methods.map((m) => [m.$use!.code, id(m.$fn!.compiled!.bodyName)])));
    }
  }
  const closure = e.runtime('closure', e.module(), lit(use.code), array(params.map((p) => id(p))), value, ...bodies);
  const body = bodies.length
    ? [...local, declare('const', id(use.keeper), closure), returning(id(use.keeper))]
    : [returning(closure)];
  const maker = arrow(
    params.map((p) => id(p)),
    block(body),
  );
  if (use.home) putInside(saved, use.home, use.maker, maker);
  else saved.atEnd.push(functionDeclaration(use.maker, maker));
  saved.maker(use.code, id(use.maker));
  return call(id(use.maker), args, n);
}

/** The resumable body of a function as an arrow function that takes all it needs. */
function bodyArrow(e: Emitter, n: Node): Node {
  const fn = n.$fn!,
    compiled = fn.compiled!;
  return e.inside(fn, () =>
    arrow(
      [id(e.context.words.frame), ...compiled.bodyParams.map((p) => e.map(p))],
      e.map(compiled.body),
      !e.context.isStress,
    ),
  );
}

/** The heritage and the computed keys of a class are evaluated where it stands; its maker takes what they gave. */
function withoutExpressions(e: Emitter, n: Node, pass: (what: string, value: Node) => Node): Node {
  const superClass = n['superClass'] ? pass('extends', e.map(n['superClass'])) : null;
  let count = 0;
  const members = (n['body'].body as Node[]).map((m) => {
    if (!m['computed'] || m['key'].type === 'Literal') return m;
    return { ...m, key: pass(`key${++count}`, e.runtime('keyOf', e.map(m['key']))) };
  });
  return { ...n, superClass, body: { ...n['body'], body: members } };
}

const methodsApart = (n: Node): Node[] =>
  (n['body'].body as Node[])
    .filter((m) => m.type === 'MethodDefinition' && m['value'].$fn?.compiled?.isSibling)
    .map((m) => m['value'] as Node);

/**
 * `static { $b10 = async ($f, $this) => … }`: the bodies of a class's resumable methods stand where private names can be seen, and are
 * reached from outside.
 */
export function methodBodies(e: Emitter, saved: SavedCode, n: Node): Node[] {
  const methods = methodsApart(n),
    bodies = methods.map((m) => statement(assign(id(m.$fn!.compiled!.bodyName), bodyArrow(e, m)))),
    { inside } = n.$use!;
  if (!bodies.length && !inside.length) return [];
  if (n.$use!.kind !== 'closure')
    for (const m of methods) {
      const { bodyName } = m.$fn!.compiled!;
      saved.global(bodyName);
      saved.body(m.$use!.code, id(bodyName));
    }
  return [node('StaticBlock', { body: [...bodies, ...inside] })];
}

/**
 * The functions of an object literal are made like others; accessors keep their places, and get their functions when the literal is there.
 * @returns null for what is no function of the literal's own
 */
export function objectMember(e: Emitter, saved: SavedCode, p: Node, accessors: Node[]): Node | null {
  const value = p['value'] as Node | undefined,
    use = value?.$use;
  if (!use || !value['$isObjectMethod'] || use.kind === 'native') return null;
  const key = p['computed'] ? e.map(p['key']) : p['key'],
    name = p['computed'] ? undefined : String(p['key'].name ?? p['key'].value);
  if (p['kind'] === 'init') return spelledOut(p, key, savedClosure(e, saved, value, use, name));
  if (name === undefined) return null;
  accessors.push(array([lit(name), lit(p['kind']), savedClosure(e, saved, value, use, name)]));
  const params = p['kind'] === 'set' ? [id('value')] : [];
  return {
    ...p,
    value: node('FunctionExpression', { id: null, params, body: block([]), async: false, generator: false }),
  };
}
