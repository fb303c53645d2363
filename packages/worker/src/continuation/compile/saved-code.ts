import type { CodeInfo } from '../module-code.ts';
import type { Analysis } from './analyse.ts';
import {
  array,
  arrow,
  assign,
  block,
  call,
  declare,
  id,
  isClass,
  lit,
  member,
  node,
  returning,
  sequence,
  statement,
  type Node,
} from './ast.ts';
import type { FunctionMeta } from './functions.ts';
import type { Vocabulary } from './lowering.ts';
import { moduleHash } from './module-hash.ts';
import type { SourceLines } from './source-lines.ts';

/** What a module says of its code, so that saved continuations can name it. */
export class SavedCode {
  readonly infos: CodeInfo[] = [];
  /** Functions to be put at the module's end: makers, bodies. */
  readonly atEnd: Node[] = [];
  readonly #globals: string[] = [];
  readonly #values: [code: number, value: Node][] = [];
  readonly #bodies: [code: number, body: Node][] = [];
  readonly #makers: [code: number, maker: Node][] = [];
  readonly #constants: string[];

  constructor(analysis: Analysis, lines: SourceLines, nameOf: (n: Node) => string) {
    for (const n of analysis.closures) {
      this.infos.push({
        name: nameOf(n),
        ...lines.placeOf(n),
        ...(n.$use!.why !== null && { why: n.$use!.why }),
        ...(isClass(n) && { isClass: true as const, ...(hasPrivateState(n) && { hasPrivateState: true as const }) }),
      });
    }
    this.#constants = [...analysis.root.scope.variables.values()]
      .filter((v) => v.kind === 'const')
      .map((v) => v.emitName);
  }

  /** A variable of the module, for the compiler's own use. */
  global(name: string): void {
    this.#globals.push(name);
  }
  value(code: number, value: Node): void {
    this.#values.push([code, value]);
  }
  body(code: number, body: Node): void {
    this.#bodies.push([code, body]);
  }
  maker(code: number, maker: Node): void {
    this.#makers.push([code, maker]);
  }

  /** `{ 7: () => value }` */
  late(entries: readonly [number, Node][]): Node {
    return table(entries.map(([code, value]) => [code, arrow([], value)]));
  }

  /** The end of the module: its registration, which comes earlier if something asks for it earlier. */
  registration(
    words: Vocabulary,
    { module, file, tokens, metas }: { module: string; file: string; tokens: readonly string[]; metas: FunctionMeta[] },
  ): Node[] {
    const runtime = (name: string, args: Node[]): Node => call(member(id(words.runtime), name), args);
    const parts = table([
      ['values', this.late(this.#values)],
      ['bodies', this.late(this.#bodies)],
      ['makers', table(this.#makers)],
      ['constants', table(this.#constants.map((name) => [name, arrow([], id(name))]))],
      [
        'descriptions',
        arrow([], metas.length ? sequence([call(id(words.meta), [lit(0)]), id(words.metas)]) : array([])),
      ],
    ]);
    const hash = moduleHash(tokens, this.infos, metas);
    const made = runtime('registerModule', [
      lit(module),
      lit(file),
      lit(hash),
      lit(JSON.stringify(this.infos)),
      arrow([], parts),
    ]);
    return [
      ...this.atEnd,
      ...[words.module, ...this.#globals].map((name) => declare('var', id(name), null)),
      node('FunctionDeclaration', {
        id: id(words.moduleOf),
        params: [],
        async: false,
        generator: false,
        body: block([returning(assign(id(words.module), made, '??='))]),
      }),
      statement(call(id(words.moduleOf), [])),
    ];
  }
}

function table(entries: readonly (readonly [number | string, Node])[]): Node {
  return node('ObjectExpression', {
    properties: entries.map(([key, value]) =>
      node('Property', {
        key: lit(key),
        value,
        kind: 'init',
        computed: key === '__proto__',
        method: false,
        shorthand: false,
      }),
    ),
  });
}

/** Its instances have what only its own code can read. */
function hasPrivateState(n: Node): boolean {
  return (n['body'].body as Node[]).some((m) => m['key']?.type === 'PrivateIdentifier' && !m['static']);
}
