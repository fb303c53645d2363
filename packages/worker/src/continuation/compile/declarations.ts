import { boundNames, eachChild, isClass, isFunction, type Node } from './ast.ts';
import type { FunctionInfo, Loop, Scope } from './scope.ts';

/** Where the analysis stands. */
export interface Cursor {
  scope: Scope;
  fn: FunctionInfo;
  loop: Loop | null;
}

/** Declares `var`s and, in sloppy code, functions in blocks. */
export function hoistVars(body: Node[] | Node, c: Cursor): void {
  const walk = (n: Node, isTop: boolean, lexical: ReadonlySet<string>): void => {
    if (isFunction(n)) {
      if (n.type !== 'FunctionDeclaration') return;
      const name = n['id']?.name;
      if (isTop) c.scope.declare(name, 'function', n);
      else if (!c.fn.isStrict && !n['async'] && !n['generator'] && !lexical.has(name)) {
        if (c.fn.scope.variables.get(name)?.kind === 'param') return;
        c.fn.blockFunctions.set(n, c.scope.declare(name, 'var', null));
      }
      return;
    }
    if (isClass(n)) return;
    if (n.type === 'VariableDeclaration' && n['kind'] === 'var')
      for (const d of n['declarations'])
        for (const name of boundNames(d.id)) c.scope.declare(name['name'], 'var', null);
    if (n.type.endsWith('Expression') || n.type === 'Literal') return;
    let inner = lexical;
    // Strict code declares no `var` for a function in a block.
    if (!c.fn.isStrict && (!isTop || n.type !== 'Program')) {
      const own = lexicalNames(n);
      if (own.size) inner = new Set([...lexical, ...own]);
    }
    const isStillTop = isTop && n.type === 'LabeledStatement';
    eachChild(n, (child) => walk(child, isStillTop, inner));
  };
  // Names that a function in a block must not shadow: the top level's let, const and class.
  const top = new Set<string>();
  for (const s of Array.isArray(body) ? body : [body]) for (const n of declaredLexically(s)) top.add(n);
  for (const s of Array.isArray(body) ? body : [body]) {
    const inner = s.type.startsWith('Export') && s['declaration'] ? (s['declaration'] as Node) : s;
    if (inner.type === 'FunctionDeclaration' && !inner['id']) continue;
    walk(inner, true, top);
  }
}

function lexicalNames(n: Node): Set<string> {
  const out = new Set<string>();
  if (n.type === 'BlockStatement') for (const s of n['body']) for (const name of declaredLexically(s)) out.add(name);
  else if (n.type === 'SwitchStatement')
    for (const k of n['cases']) for (const s of k.consequent) for (const name of declaredLexically(s)) out.add(name);
  else if (n.type === 'ForStatement' && n['init']) for (const name of declaredLexically(n['init'])) out.add(name);
  else if (n.type === 'ForOfStatement' || n.type === 'ForInStatement')
    for (const name of declaredLexically(n['left'])) out.add(name);
  else if (n.type === 'CatchClause' && n['param'] && n['param'].type !== 'Identifier')
    for (const x of boundNames(n['param'])) out.add(x['name']);
  return out;
}

function declaredLexically(s: Node): string[] {
  if (s.type.startsWith('Export') && s['declaration']) s = s['declaration'];
  if (s.type === 'VariableDeclaration' && s['kind'] !== 'var')
    return (s['declarations'] as Node[]).flatMap((d) => boundNames(d['id']).map((n) => n['name'] as string));
  return s.type === 'ClassDeclaration' && s['id'] ? [s['id'].name] : [];
}

/** Declares what is lexical in a list of statements: `let`, `const`, `using`, classes, functions, imports. */
export function declareLexicals(body: Node[], c: Cursor): void {
  for (let s of body) {
    if (s.type === 'ImportDeclaration') {
      for (const x of s['specifiers']) c.scope.declare(x.local.name, 'import', s);
      continue;
    }
    if (s.type.startsWith('Export') && s['declaration']) s = s['declaration'];
    while (s.type === 'LabeledStatement') s = s['body'];
    if (s.type === 'VariableDeclaration' && s['kind'] !== 'var') {
      const kind = s['kind'] === 'await using' ? 'using' : s['kind'];
      for (const d of s['declarations']) for (const n of boundNames(d.id)) c.scope.declare(n['name'], kind, d);
    } else if (s.type === 'ClassDeclaration' && s['id']) c.scope.declare(s['id'].name, 'class', s);
    else if (s.type === 'FunctionDeclaration' && s['id']) c.scope.declare(s['id'].name, 'function', s);
  }
}
