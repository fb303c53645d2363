// Puts an await in front of a random share of the expressions of a synchronous case: the same meaning, but every construct of the
// language is now suspended in its middle. Deterministic by seed and file name.
import { createHash } from 'node:crypto';
import { parse } from 'acorn';

const unsuitable = /\b(await|async|eval|with|arguments|super)\b|\$262|new\.target/;
const wrappable = new Set([
  'Literal',
  'Identifier',
  'ThisExpression',
  'CallExpression',
  'NewExpression',
  'MemberExpression',
  'ChainExpression',
  'BinaryExpression',
  'LogicalExpression',
  'ConditionalExpression',
  'AssignmentExpression',
  'UpdateExpression',
  'UnaryExpression',
  'SequenceExpression',
  'ArrayExpression',
  'ObjectExpression',
  'TemplateLiteral',
  'TaggedTemplateExpression',
]);

/** @returns the case as an async function that reports to $DONE, or null if it does not lend itself */
export function inject(source, { file, share, seed, isStrict }) {
  if (unsuitable.test(source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''))) return null;
  const prefix = isStrict ? '"use strict";' : '';
  let program;
  try {
    program = parse(prefix + source, { ecmaVersion: 'latest', allowHashBang: true });
  } catch {
    return null;
  }
  const random = randomBy(`${seed} ${file}`),
    edits = [];
  const visitor = new Visitor((n) => {
    if (random() >= share || (n.type === 'Identifier' && n.name === 'undefined')) return;
    edits.push(
      { at: n.start - prefix.length, order: n.end - n.start, text: '(await (' },
      { at: n.end - prefix.length, order: -1e9 + (n.end - n.start), text: '))' },
    );
  });
  for (const s of program.body) visitor.statement(s);
  if (!edits.length) return null;
  // At one place, closings come first, the inner ones before the outer; then openings, the outer ones first.
  edits.sort(
    (a, b) =>
      a.at - b.at ||
      (a.order < 0 ? 0 : 1) - (b.order < 0 ? 0 : 1) ||
      (a.order < 0 ? a.order - b.order : b.order - a.order),
  );
  let out = '',
    done = 0;
  for (const e of edits) {
    out += source.slice(done, e.at) + e.text;
    done = e.at;
  }
  return `(async function () {\n${out}${source.slice(done)}\n})().then($DONE, $DONE);`;
}

function randomBy(text) {
  let block = createHash('sha256').update(text).digest(),
    at = 0;
  return () => {
    if (at + 4 > block.length) {
      block = createHash('sha256').update(block).digest();
      at = 0;
    }
    return block.readUInt32BE((at += 4) - 4) / 2 ** 32;
  };
}

/** Walks the code of one function, and offers each expression whose value may as well be awaited. */
class Visitor {
  constructor(offer) {
    this.offer = offer;
  }

  statement(n) {
    if (!n || /^(Function|ArrowFunction)/.test(n.type) || n.directive) return;
    if (n.type === 'ClassDeclaration') {
      this.#class(n);
      return;
    }
    if (n.type === 'VariableDeclaration') {
      for (const d of n.declarations) {
        this.#target(d.id);
        this.expression(d.init);
      }
      return;
    }
    if (n.type === 'ForInStatement' || n.type === 'ForOfStatement') {
      if (n.left.type === 'VariableDeclaration') this.statement(n.left);
      else this.#target(n.left);
      this.expression(n.right);
      this.statement(n.body);
      return;
    }
    if (n.type === 'LabeledStatement') {
      this.statement(n.body);
      return;
    }
    if (n.type === 'BreakStatement' || n.type === 'ContinueStatement') return;
    if (n.type === 'CatchClause') {
      this.#target(n.param);
      this.statement(n.body);
      return;
    }
    this.#children(n);
  }

  expression(n) {
    if (!n) return;
    if (wrappable.has(n.type)) this.offer(n);
    this.#inside(n);
  }

  #children(n) {
    for (const key of Object.keys(n))
      for (const child of [n[key]].flat()) {
        if (!child || typeof child.type !== 'string') continue;
        if (/Statement$|Declaration$|Clause$|^SwitchCase$/.test(child.type)) this.statement(child);
        else this.expression(child);
      }
  }

  /** The parts of an expression that is not itself awaited here. */
  #inside(n) {
    switch (n.type) {
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
      case 'Identifier':
      case 'Literal':
      case 'MetaProperty':
      case 'TemplateElement':
      case 'PrivateIdentifier':
        return;
      case 'ClassExpression':
        this.#class(n);
        return;
      case 'MemberExpression':
        this.expression(n.object);
        if (n.computed) this.expression(n.property);
        return;
      // A method keeps its receiver, so only what the member is taken from may be awaited.
      case 'CallExpression':
        if (n.callee.type === 'MemberExpression') this.#inside(n.callee);
        else this.expression(n.callee);
        this.#arguments(n);
        return;
      case 'NewExpression':
        if (n.callee.type !== 'CallExpression') this.#inside(n.callee);
        this.#arguments(n);
        return;
      case 'TaggedTemplateExpression':
        if (n.tag.type === 'MemberExpression') this.#inside(n.tag);
        for (const e of n.quasi.expressions) this.expression(e);
        return;
      case 'ChainExpression':
        this.#chain(n.expression);
        return;
      case 'UnaryExpression':
        if (n.operator === 'delete' || (n.operator === 'typeof' && n.argument.type === 'Identifier')) {
          if (n.argument.type === 'MemberExpression') this.#inside(n.argument);
        } else this.expression(n.argument);
        return;
      case 'UpdateExpression':
        this.#target(n.argument);
        return;
      case 'AssignmentExpression':
        this.#target(n.left);
        this.expression(n.right);
        return;
      case 'BinaryExpression':
        if (n.left.type !== 'PrivateIdentifier') this.expression(n.left);
        this.expression(n.right);
        return;
      case 'ObjectExpression':
        for (const p of n.properties) {
          if (p.type === 'SpreadElement') {
            this.expression(p.argument);
            continue;
          }
          if (p.computed) this.expression(p.key);
          if (p.kind === 'init' && !p.method && !p.shorthand) this.expression(p.value);
        }
        return;
      case 'SpreadElement':
        this.expression(n.argument);
        return;
      default:
        this.#children(n);
    }
  }
  #arguments(n) {
    for (const a of n.arguments) this.expression(a.type === 'SpreadElement' ? a.argument : a);
  }
  #chain(n) {
    if (n.type === 'MemberExpression') {
      this.#chain(n.object);
      if (n.computed) this.expression(n.property);
    } else if (n.type === 'CallExpression') {
      this.#chain(n.callee);
      this.#arguments(n);
    } else this.#inside(n);
  }
  #class(n) {
    this.expression(n.superClass);
    for (const m of n.body.body) if (m.computed) this.expression(m.key);
  }
  /** What is assigned to: its own expressions and defaults may be awaited, not the target itself. */
  #target(n) {
    switch (n?.type) {
      case 'AssignmentPattern':
        this.#target(n.left);
        this.expression(n.right);
        return;
      case 'ArrayPattern':
        for (const e of n.elements) this.#target(e);
        return;
      case 'RestElement':
        this.#target(n.argument);
        return;
      case 'MemberExpression':
        this.#inside(n);
        return;
      case 'ObjectPattern':
        for (const p of n.properties) {
          if (p.type === 'RestElement') this.#target(p);
          else {
            if (p.computed) this.expression(p.key);
            this.#target(p.value);
          }
        }
        return;
    }
  }
}
