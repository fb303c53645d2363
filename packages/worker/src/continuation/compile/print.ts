import { encode, type SourceMapMappings } from '@jridgewell/sourcemap-codec';
import * as acorn from 'acorn';
import * as astring from 'astring';
import type { Node } from './ast.ts';
import type { SourceLines } from './source-lines.ts';

/** What the generator keeps while it prints; `line` counts from 1, `column` from 0. */
interface State {
  output: string;
  line: number;
  column: number;
  write(text: string, node?: Node): void;
}
type Printers = Record<string, (this: Printers, n: Node, state: State) => void>;

// Both are there, and in no declaration of theirs.
const { Node: ParsedNode } = acorn as unknown as { Node: new () => object };
const { EXPRESSIONS_PRECEDENCE, GENERATOR, generate } = astring as unknown as {
  EXPRESSIONS_PRECEDENCE: Record<string, number>;
  GENERATOR: Printers;
  generate: (this: void, tree: Node, options: object) => string;
};

/** Prints a tree, in which all that `source` has as it stands is copied from there. The map leads to `original`, which has the same positions. */
export function print(
  tree: Node,
  source: string,
  { lines, original, file }: { lines: SourceLines; original: string; file: string },
): { code: string; map: SourceMap } {
  const map = new SourceMap(file, original);
  const code = generate(tree, {
    generator: new Printing(source, lines, map).printers,
    expressionsPrecedence: PRECEDENCE,
    indent: '',
    // Or it would not count lines and columns. Its nodes have no positions that it knows.
    sourceMap: map,
  });
  return { code, map };
}

export class SourceMap {
  readonly #mappings: SourceMapMappings = [[]];
  readonly #file: string;
  readonly #source: string;
  constructor(file: string, source: string) {
    this.#file = file;
    this.#source = source;
  }

  /** Lines count from 1, columns from 0. Of two that begin in one place, the inner one is true. */
  add(line: number, column: number, fromLine: number, fromColumn: number): void {
    while (this.#mappings.length < line) this.#mappings.push([]);
    const segments = this.#mappings[line - 1]!;
    if (segments.at(-1)?.[0] === column) segments.pop();
    segments.push([column, 0, fromLine - 1, fromColumn]);
  }

  toUrl(): string {
    const map = {
      version: 3,
      sources: [this.#file],
      sourcesContent: [this.#source],
      names: [],
      mappings: encode(this.#mappings),
    };
    return `data:application/json;charset=utf-8;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;
  }
}

/** The generator's own does not tell `(a?.b).c` from `a?.b.c`. */
const PRECEDENCE = { ...EXPRESSIONS_PRECEDENCE, ChainExpression: 18 };

/**
 * How each kind of node is printed. What the parser made stands in the author's text, with all below it, since every pass makes
 * a new node where it changes something: it is copied. A copied expression has no parentheses around it, and is given some where
 * its first word or its `in` would be taken for something else.
 */
class Printing {
  readonly printers: Printers = {};
  readonly #source: string;
  readonly #lines: SourceLines;
  readonly #map: SourceMap;

  constructor(source: string, lines: SourceLines, map: SourceMap) {
    this.#source = source;
    this.#lines = lines;
    this.#map = map;
    for (const [type, print] of Object.entries({ ...GENERATOR, ...this.#own() }))
      this.printers[type] = (n, state) => {
        if (isParsed(n)) return this.#copy(n, state);
        if (n.start >= 0) {
          const { line, column } = lines.at(n.start);
          map.add(state.line, state.column, line, column);
        }
        print.call(this.printers, n, state);
      };
  }

  /** What the generator lacks, or does for trees without copies. */
  #own(): Printers {
    const { printers } = this;
    const visit = (n: Node, state: State): void => printers[n.type]!(n, state);
    const standard = (n: Node, state: State): void => GENERATOR[n.type]!.call(printers, n, state);
    const head: Printers[string] = (n, state) => {
      const { init, left } = n as { init?: Node | null; left?: Node };
      if (init)
        return standard({ ...n, init: init.type === 'VariableDeclaration' ? inHead(init) : enclosed(init) }, state);
      if (left?.type === 'VariableDeclaration') return standard({ ...n, left: inHead(left) }, state);
      return standard(left && /^(?:async|let)$/.test(left['name']) ? { ...n, left: enclosed(left) } : n, state);
    };
    return {
      Enclosed(n, state) {
        state.write('(');
        visit(n['inner'], state);
        state.write(')');
      },
      Raw(n, state) {
        for (const part of n['parts'] as (string | Node)[])
          if (typeof part !== 'string') visit(part, state);
          else writeLines(part, state);
      },
      ForStatement: head,
      ForInStatement: head,
      ForOfStatement: head,
      ExpressionStatement: (n, state) =>
        standard(this.#startsAStatement(n['expression']) ? { ...n, expression: enclosed(n['expression']) } : n, state),
      ArrowFunctionExpression: (n, state) =>
        standard(this.#startsAStatement(n['body']) ? { ...n, body: enclosed(n['body']) } : n, state),
      NewExpression: (n, state) =>
        // A call, template or import in what is constructed would take the `new` for itself.
        standard(n['callee'].type === 'Identifier' ? n : { ...n, callee: enclosed(n['callee']) }, state),
      ExportDefaultDeclaration(n, state) {
        const isDeclared = isDeclaration(n['declaration']);
        state.write('export default ');
        visit(isDeclared ? n['declaration'] : enclosed(n['declaration']), state);
        if (!isDeclared) state.write(';');
      },
      ImportExpression(n, state) {
        state.write('import(');
        visit(n['source'], state);
        if (n['options']) {
          state.write(', ');
          visit(n['options'], state);
        }
        state.write(')');
      },
    };
  }

  /** Where a statement or the body of an arrow function begins, the expression would not be taken for one. */
  #startsAStatement(expression: Node): boolean {
    let n = expression;
    for (let first: Node | null; !isParsed(n); n = first) {
      first = firstOf(n);
      if (first === null) return n.type === 'AssignmentExpression';
    }
    FIRST_WORD.lastIndex = n.start;
    return n.type !== 'BlockStatement' && FIRST_WORD.test(this.#source);
  }

  #copy(n: Node, state: State): void {
    // The generator leaves a sequence's parentheses to itself; and `new A` would take for its arguments what is called.
    if (n.type !== 'SequenceExpression' && !(n.type === 'NewExpression' && n['arguments'].length === 0))
      return this.#copyText(n, state);
    state.write('(');
    this.#copyText(n, state);
    state.write(')');
  }

  #copyText(n: Node, state: State): void {
    const text = this.#source.slice(n.start, n.end);
    let { line, column } = this.#lines.at(n.start);
    // What to add to a place in the text to have its column, here and in the source.
    let shift = state.column;
    this.#map.add(state.line, state.column, line, column);
    // A stack frame points to a word: a callee, a property, `new`, `throw`.
    let isInWord = false;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (isLineEnd(code)) {
        if (code === CR && text.charCodeAt(i + 1) === LF) i++;
        line++;
        state.line++;
        shift = column = -(i + 1);
        isInWord = false;
      } else if (!isOfWord(code)) isInWord = false;
      else if (!isInWord) {
        this.#map.add(state.line, shift + i, line, column + i);
        isInWord = true;
      }
    }
    state.output += text;
    state.column = shift + text.length;
    if (isOpenEnded(n) && !text.endsWith(';')) state.write(';');
  }
}

const LF = 10;
const CR = 13;
const isLineEnd = (code: number): boolean => code === LF || code === CR || code === 0x2028 || code === 0x2029;
/** A letter, a digit, `_`, `$`, or anything beyond ASCII but ends of lines and the marks of direction that follow them. */
const isOfWord = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 65 && code <= 90) ||
  (code >= 48 && code <= 57) ||
  code === 36 ||
  code === 95 ||
  (code >= 0x80 && (code < 0x2028 || code > 0x202f));

/** Line by line: the generator counts one where what it writes ends with it. */
function writeLines(text: string, state: State): void {
  let from = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
    state.write(text.slice(from, end + 1));
    from = end + 1;
  }
  if (from < text.length) state.write(text.slice(from));
}

/** Nodes of other passes are plain objects. */
const isParsed = (n: Node): boolean => n instanceof ParsedNode && n.type !== 'Program';
const isDeclaration = (n: Node): boolean => n.type.endsWith('Declaration');
const enclosed = (inner: Node): Node => ({ type: 'Enclosed', start: -1, end: -1, inner });
const FIRST_WORD = /\{|(?:function|class|let|async)\b/y;

/** Declarations in the head of a `for`, where a bare `in` would end them. */
const inHead = (n: Node): Node => ({
  ...n,
  declarations: (n['declarations'] as Node[]).map((d) =>
    isParsed(d) || !d['init'] ? d : { ...d, init: enclosed(d['init']) },
  ),
});

/** With what the text of an expression begins; null: with something of its own. */
function firstOf(n: Node): Node | null {
  switch (n.type) {
    case 'MemberExpression':
      return n['object'];
    case 'CallExpression':
      return n['callee'];
    case 'TaggedTemplateExpression':
      return n['tag'];
    case 'BinaryExpression':
    case 'LogicalExpression':
      return n['left'];
    case 'AssignmentExpression':
      return n['left'].type === 'ObjectPattern' ? null : n['left'];
    case 'ConditionalExpression':
      return n['test'];
    case 'ChainExpression':
      return n['expression'];
    case 'UpdateExpression':
      return n['prefix'] ? null : n['argument'];
    default:
      return null;
  }
}

/** A statement or field that ends with a semicolon, which its author may have left to the parser. */
function isOpenEnded(n: Node): boolean {
  switch (n.type) {
    case 'IfStatement':
      return isOpenEnded(n['alternate'] ?? n['consequent']);
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'WhileStatement':
    case 'LabeledStatement':
    case 'WithStatement':
      return isOpenEnded(n['body']);
    case 'ExpressionStatement':
    case 'VariableDeclaration':
    case 'ReturnStatement':
    case 'ThrowStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'DebuggerStatement':
    case 'DoWhileStatement':
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'PropertyDefinition':
      return true;
    case 'ExportDefaultDeclaration':
      return !isDeclaration(n['declaration']);
    case 'ExportNamedDeclaration':
      return n['declaration'] === null || isOpenEnded(n['declaration']);
    default:
      return false;
  }
}
