import { boundNames, eachChild, hasDirective, holdsExpression, isFunction, mayBePromise, type Node } from './ast.ts';
import { type Cursor, declareLexicals, hoistVars } from './declarations.ts';
import { References, ownVariable } from './resolution.ts';
import { FunctionInfo, Scope } from './scope.ts';
import { usePrivate, useSuper, useThis } from './usage.ts';

/** What the analysis of a module found. */
export interface Analysis {
  functions: FunctionInfo[];
  /** Every function and class, in the order of the source. */
  closures: Node[];
  names: Set<string>;
  root: FunctionInfo;
}

/**
 * Builds scopes, resolves every reference, and marks the nodes that hold awaits. `isSaved`: `this` and `arguments` count as variables of
 * the function that has them, so that closures capture them as they do others.
 */
export function analyse(program: Node, isModule: boolean, isSaved = false): Analysis {
  const functions: FunctionInfo[] = [],
    closures: Node[] = [],
    references = new References(isSaved),
    { names } = references;
  const root = new FunctionInfo(program, null, program, null, isModule || hasDirective(program, 'use strict'));
  root.scope = new Scope(program, null, root, null, true);
  const top: Cursor = { scope: root.scope, fn: root, loop: null };
  hoistVars(program['body'], top);
  declareLexicals(program['body'], top);
  for (const s of program['body']) visit(s, top);
  references.resolve();
  for (const fn of functions) if (fn.isDynamic) for (let up = fn.parent; up; up = up.parent) up.isDynamic = true;
  closures.sort((a, b) => a.start - b.start);
  return { functions, closures, names, root };

  function child(c: Cursor, n: Node, loop = c.loop): Cursor {
    const scope = new Scope(n, c.scope, c.fn, loop, false);
    n.$scope = scope;
    return { scope, fn: c.fn, loop };
  }

  /** Visits and returns whether the node holds an await of its own function. */
  function visit(n: Node | null | undefined, c: Cursor): boolean {
    if (!n) return false;
    const awaits = visitNode(n, c);
    if (awaits) n.$awaits = true;
    return awaits;
  }
  function visitAll(list: (Node | null)[], c: Cursor): boolean {
    let awaits = false;
    for (const n of list) awaits = visit(n, c) || awaits;
    return awaits;
  }

  function visitNode(n: Node, c: Cursor): boolean {
    switch (n.type) {
      case 'Identifier':
        references.note(n, c);
        return false;
      case 'Super':
        useSuper(c.fn);
        return false;
      case 'Literal':
      case 'TemplateElement':
      case 'BreakStatement':
      case 'ContinueStatement':
      case 'EmptyStatement':
      case 'DebuggerStatement':
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        return false;
      case 'ThisExpression':
        useThis(c.fn);
        if (isSaved && ownVariable(c.fn, 'this')) {
          n.type = 'Identifier';
          n['name'] = 'this';
          references.note(n, c);
        }
        return false;
      case 'MetaProperty':
        if (n['meta'].name === 'new') useSuper(c.fn);
        return false;
      case 'AwaitExpression':
        if (n['argument'].type === 'CallExpression' && n['argument'].arguments.length === 1)
          n['argument'].arguments[0]['$awaitedCallee'] = n['argument'].callee;
        visit(n['argument'], c);
        c.fn.awaits.push(n.end);
        return true;
      case 'PrivateIdentifier':
        usePrivate(n['name'], c.fn);
        return false;
      case 'MemberExpression': {
        const a = visit(n['object'], c);
        if (n['property'].type === 'PrivateIdentifier') usePrivate(n['property'].name, c.fn);
        return (n['computed'] && visit(n['property'], c)) || a;
      }
      case 'CallExpression':
        if (n['callee'].type === 'Identifier' && n['callee'].name === 'eval') c.fn.isDynamic = true;
        return visitAll([n['callee'], ...n['arguments']], c);
      case 'WithStatement':
        c.fn.isDynamic = true;
        return visitAll([n['object'], n['body']], c);
      case 'LabeledStatement':
        return visit(n['body'], c);
      case 'ObjectExpression':
        for (const p of n['properties']) if (p.type === 'Property') p.$object = n;
        return visitAll(n['properties'], c);
      case 'TryStatement': {
        const a = visitAll([n['block'], n['handler'], n['finalizer']], c);
        // A try statement that holds an await is taken apart, its catch clause included.
        if (a && n['handler']) n['handler'].$awaits = true;
        return a;
      }
      case 'Property': {
        const a = n['computed'] ? visit(n['key'], c) : false;
        return visitMethod(n, c) || a;
      }
      case 'ExportNamedDeclaration':
        if (n['declaration']) return visit(n['declaration'], c);
        if (!n['source'])
          for (const s of n['specifiers']) if (s.local.type === 'Identifier') references.note(s.local, c);
        return false;
      case 'ReturnStatement':
        if (n['argument'] && mayBePromise(n['argument'])) c.fn.returnsValue = true;
        return visit(n['argument'], c);
      case 'AssignmentExpression': {
        const a = target(n['left'], c, n.end);
        return visit(n['right'], c) || a;
      }
      case 'UpdateExpression':
        return target(n['argument'], c, n.end);
      case 'VariableDeclaration':
        return declaration(n, c);
      case 'BlockStatement': {
        const inner = child(c, n);
        declareLexicals(n['body'], inner);
        return visitAll(n['body'], inner);
      }
      case 'ForStatement': {
        const head = child(c, n);
        if (n['init']?.type === 'VariableDeclaration') declareLexicals([n['init']], head);
        const a = visit(n['init'], head),
          inner = { ...head, loop: { node: n, outer: c.loop } };
        return visitAll([n['test'], n['update'], n['body']], inner) || a;
      }
      case 'ForInStatement':
      case 'ForOfStatement': {
        const head = child(c, n, { node: n, outer: c.loop });
        let a = n['await'] === true;
        if (a) c.fn.awaits.push(n['right'].end);
        if (n['left'].type === 'VariableDeclaration') {
          declareLexicals([n['left']], head);
          const d = n['left'].declarations[0];
          if (n['left'].kind === 'await using') {
            a = true;
            c.fn.awaits.push(n['right'].end);
          }
          if (d.init) a = visit(d.init, c) || a;
          if (pattern(d.id, head, n['right'].end, true)) n['left'].$awaits = d.$awaits = a = true;
        } else if (target(n['left'], head, n['right'].end)) a = true;
        a = visit(n['right'], { ...head, loop: c.loop }) || a;
        return visit(n['body'], head) || a;
      }
      case 'WhileStatement':
      case 'DoWhileStatement': {
        const inner = { ...c, loop: { node: n, outer: c.loop } };
        return n.type === 'WhileStatement'
          ? visitAll([n['test'], n['body']], inner)
          : visitAll([n['body'], n['test']], inner);
      }
      case 'SwitchStatement': {
        const a = visit(n['discriminant'], c),
          inner = child(c, n);
        for (const k of n['cases']) declareLexicals(k.consequent, inner);
        return visitAll(n['cases'], inner) || a;
      }
      case 'CatchClause': {
        const inner = child(c, n);
        if (n['param']) for (const x of boundNames(n['param'])) inner.scope.declare(x['name'], 'catch', null);
        const a = n['param'] ? pattern(n['param'], inner, n['param'].end, true) : false;
        return visit(n['body'], inner) || a;
      }
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        functionNode(n, c, n);
        return false;
      case 'ClassDeclaration':
      case 'ClassExpression':
        return classNode(n, c);
      case 'ArrayPattern':
      case 'ObjectPattern':
      case 'AssignmentPattern':
      case 'RestElement':
        return pattern(n, c, n.end, false);
      default: {
        let a = false;
        eachChild(n, (x) => {
          a = visit(x, c) || a;
        });
        return a;
      }
    }
  }

  function visitMethod(n: Node, c: Cursor): boolean {
    if (n['value'] && isFunction(n['value']) && !n['computed'])
      n['value'].$name = String(n['key'].name ?? n['key'].value);
    if (
      n['value'] &&
      n['value'].type === 'FunctionExpression' &&
      (n['method'] || n['kind'] === 'get' || n['kind'] === 'set')
    ) {
      n['value'].$isObjectMethod = true;
      n['value'].$kind = n['kind'];
      functionNode(n['value'], c, (n['$object'] as Node) ?? n['value']);
      return false;
    }
    return visit(n['value'], c);
  }

  function target(n: Node, c: Cursor, end: number): boolean {
    if (n.type !== 'Identifier') return pattern(n, c, end, false);
    references.note(n, c, { isWrite: true, end });
    return false;
  }

  function pattern(n: Node | null, c: Cursor, end: number, isInit: boolean): boolean {
    if (!n) return false;
    let a = false;
    switch (n.type) {
      case 'Identifier':
        references.note(n, c, { isWrite: true, isInit, end });
        break;
      case 'ObjectPattern':
        for (const p of n['properties']) {
          if (p.type === 'RestElement') a = pattern(p, c, end, isInit) || a;
          else {
            const k = p.computed && visit(p.key, c),
              v = pattern(p.value, c, end, isInit);
            if (k || v) p.$awaits = a = true;
          }
        }
        break;
      case 'ArrayPattern':
        for (const e of n['elements']) a = pattern(e, c, end, isInit) || a;
        break;
      case 'AssignmentPattern': {
        const l = pattern(n['left'], c, end, isInit);
        a = visit(n['right'], c) || l;
        break;
      }
      case 'RestElement':
        a = pattern(n['argument'], c, end, isInit);
        break;
      default:
        return visit(n, c);
    }
    if (a) n.$awaits = true;
    return a;
  }

  function declaration(n: Node, c: Cursor): boolean {
    let a = n['kind'] === 'await using';
    if (a) c.fn.awaits.push(n.end);
    for (const d of n['declarations']) {
      // `var x;` writes nothing; `let x;` writes undefined.
      const p =
        n['kind'] === 'var' && !d.init
          ? (references.note(d.id, c), false)
          : pattern(d.id, c, d.end, n['kind'] !== 'var');
      const i = visit(d.init, c);
      if (d.init && isFunction(d.init) && d.id.type === 'Identifier') d.init.$name = d.id.name;
      if (p || i) d.$awaits = a = true;
    }
    return a;
  }

  function functionNode(n: Node, c: Cursor, closure: Node): void {
    const strict = c.fn.isStrict || hasDirective(n['body'], 'use strict');
    const fn = new FunctionInfo(n, c.fn, closure, c.loop, strict);
    n.$fn = fn;
    functions.push(fn);
    closures.push(n);
    n.$within = c;
    let outer = c.scope;
    if (n.type === 'FunctionExpression' && n['id'] && !n['$isMethod']) {
      outer = new Scope(n, c.scope, fn, null, false);
      outer.declare(n['id'].name, 'self', n);
      names.add(n['id'].name);
    } else if (n.type === 'FunctionDeclaration' && n['id']) names.add(n['id'].name);
    if (n.type === 'FunctionDeclaration' && n['id'])
      references.note(n['id'], c, {
        isWrite: true,
        isInit: true,
        end: c.scope.isFunctionScope ? (c.scope.node['body']?.start ?? 0) : c.scope.node.start,
      });
    const scope = (fn.scope = new Scope(n, outer, fn, null, true));
    const inner: Cursor = { scope, fn, loop: null };
    for (const p of n['params']) for (const x of boundNames(p)) scope.declare(x['name'], 'param', null);
    if (n['body'].type === 'BlockStatement') {
      // Expressions among the parameters do not see what the body declares.
      const body = n['params'].some(holdsExpression)
        ? { ...inner, scope: (fn.bodyScope = new Scope(n['body'], scope, fn, null, false)) }
        : inner;
      hoistVars(n['body'].body, body);
      declareLexicals(n['body'].body, body);
      for (const p of n['params']) pattern(p, inner, p.end, true);
      if (visitAll(n['body'].body, body)) n['body'].$awaits = true;
    } else {
      for (const p of n['params']) pattern(p, inner, p.end, true);
      if (mayBePromise(n['body'])) fn.returnsValue = true;
      visit(n['body'], inner);
    }
  }

  function classNode(n: Node, c: Cursor): boolean {
    closures.push(n);
    n.$within = c;
    if (n['id']) names.add(n['id'].name);
    if (n.type === 'ClassDeclaration' && n['id'])
      references.note(n['id'], c, { isWrite: true, isInit: true, end: n.end });
    const inner = child(c, n);
    if (n['id']) inner.scope.declare(n['id'].name, 'self', n);
    let a = visit(n['superClass'], inner);
    for (const m of n['body'].body) {
      if (m.computed) a = visit(m.key, inner) || a;
      if (m.type === 'MethodDefinition') {
        m.value.$isMethod = true;
        m.value.$class = n;
        m.value.$isConstructor = m.kind === 'constructor';
        if (!m.computed) m.value.$name = `${n['id'] ? n['id'].name + '.' : ''}${m.key.name ?? m.key.value}`;
        functionNode(m.value, inner, n);
      } else if (m.type === 'PropertyDefinition' || m.type === 'StaticBlock') bodyPiece(m, inner, n);
    }
    if (a) n['body'].$awaits = true;
    return a;
  }

  /** Field initialisers and static blocks run like methods of the class. */
  function bodyPiece(m: Node, c: Cursor, closure: Node): void {
    if (m.type === 'PropertyDefinition' && !m['value']) return;
    const fn = new FunctionInfo(m, c.fn, closure, c.loop, true);
    m.$fn = fn;
    m['$class'] = closure;
    functions.push(fn);
    const scope = (fn.scope = new Scope(m, c.scope, fn, null, true)),
      inner: Cursor = { scope, fn, loop: null };
    if (m.type === 'StaticBlock') {
      hoistVars(m['body'], inner);
      declareLexicals(m['body'], inner);
      visitAll(m['body'], inner);
    } else visit(m['value'], inner);
  }
}
