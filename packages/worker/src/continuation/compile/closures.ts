import {
  array,
  arrow,
  call,
  changed,
  id,
  index,
  isAnonymous,
  isClass,
  lit,
  named,
  node,
  spelledOut,
  type Node,
} from './ast.ts';
import type { Emitter } from './emit.ts';
import { wrapperBody } from './functions.ts';
import { methodBodies, objectMember, savedClosure } from './makers.ts';
import { openedFunction, openedList } from './blocks.ts';
import type { FunctionInfo } from './scope.ts';

/** Wraps a closure that captures variables of an iteration: `(x => closure)(x)`. */
export function closure(e: Emitter, n: Node, name?: string): Node {
  const { saved } = e.context,
    kind = n.$use?.kind;
  if (saved && n.$use && (kind === 'once' || kind === 'closure') && !n.type.endsWith('Declaration'))
    return savedClosure(e, saved, n, n.$use, name);
  const captured = [...(n.$captures ?? [])].filter((v) => v.isPerIteration && v.scope.fn === e.fn);
  const inner =
    n.type === 'ObjectExpression' ? objectLiteral(e, n) : isClass(n) ? classBody(e, n) : functionNode(e, n, name);
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

function objectLiteral(e: Emitter, n: Node): Node {
  const { saved } = e.context,
    accessors: Node[] = [];
  const literal = changed(n, {
    properties: (n['properties'] as Node[]).map((p, i, all) => {
      if (p.type === 'SpreadElement') return e.map(p);
      // What comes later could put something else in an accessor's place.
      const isLast =
        p['kind'] === 'init' ||
        !all.some((later, j) => j > i && (later.type === 'SpreadElement' || later['computed'] || isSameKey(later, p)));
      const made = saved && isLast ? objectMember(e, saved, p, accessors) : null;
      if (made) return made;
      const key = p['computed'] ? e.map(p['key']) : p['key'];
      if (p['method'] || p['kind'] !== 'init') return changed(p, { key, value: method(e, p['value']) });
      const value = e.map(p['value'], p['computed'] ? undefined : String(p['key'].name ?? p['key'].value));
      const isShort = p['shorthand'] && value.type === 'Identifier' && value['name'] === p['key'].name;
      return isShort ? changed(p, { key, value }) : spelledOut(p, key, value);
    }),
  });
  return accessors.length ? e.runtime('accessors', literal, array(accessors)) : literal;
}

function isSameKey(a: Node, b: Node): boolean {
  const nameOf = (p: Node): string => String(p['key'].name ?? p['key'].value);
  return nameOf(a) === nameOf(b) && (a['kind'] === 'init' || a['kind'] === b['kind']);
}

export function classBody(e: Emitter, n: Node): Node {
  const members = (n['body'].body as Node[]).map((m) => {
    const key = m['computed'] ? e.map(m['key']) : m['key'];
    if (m.type === 'MethodDefinition') return changed(m, { key, value: method(e, m['value']) });
    if (m.type === 'PropertyDefinition') {
      return changed(m, {
        key,
        value:
          m['value'] &&
          e.inside(m.$fn!, () =>
            e.map(
              m['value'],
              m['computed']
                ? undefined
                : m['key'].type === 'PrivateIdentifier'
                  ? `#${m['key'].name}`
                  : String(m['key'].name ?? m['key'].value),
            ),
          ),
      });
    }
    return e.inside(m.$fn!, () => changed(m, { body: openedList(e, m['body'], m.$fn!.scope) }));
  });
  const apart = e.context.saved ? methodBodies(e, e.context.saved, n) : [];
  return changed(n, {
    superClass: n['superClass'] && e.map(n['superClass']),
    body: changed(n['body'], { body: [...apart, ...members] }),
  });
}

export function method(e: Emitter, n: Node): Node {
  const fn = n.$fn!,
    compiled = fn.compiled;
  return compiled ? { ...n, async: false, params: compiled.params, body: wrapper(e, fn) } : plain(e, n);
}

function plain(e: Emitter, n: Node): Node {
  return e.inside(n.$fn!, () => openedFunction(e, n));
}

function wrapper(e: Emitter, fn: FunctionInfo): Node {
  const compiled = fn.compiled!,
    body = fn.node['body'] as Node;
  const directives = body.type === 'BlockStatement' ? (body['body'] as Node[]).filter((s) => s['directive']) : [];
  const inner = compiled.isSibling ? compiled.body : e.inside(fn, () => e.map(compiled.body));
  return wrapperBody(compiled, inner, e.context, directives, fn.node);
}

export function functionNode(e: Emitter, n: Node, name?: string): Node {
  const fn = n.$fn!,
    compiled = fn.compiled;
  if (!compiled) return plain(e, n);
  const params = compiled.params,
    body = wrapper(e, fn);
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
