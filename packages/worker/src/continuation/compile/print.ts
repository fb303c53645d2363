import { print as printTree } from 'esrap';
import ts from 'esrap/languages/ts';
import type { Node } from './ast.ts';

interface Context {
  write(text: string, node?: unknown): void;
  visit(n: Node): void;
}

const language = {
  ...ts(),
  Raw(n: Node, context: Context): void {
    for (const part of n['parts'] as (string | Node)[])
      if (typeof part === 'string') context.write(part, n);
      else context.visit(part);
  },
};

/** Prints a tree; the map leads to `source`, and stack frames of the runtime stay out of the author's way by `ignoreList`. */
export function print(tree: Node, source: string, file: string): { code: string; map: { toUrl(): string } } {
  return printTree(tree as never, language as never, { sourceMapSource: file, sourceMapContent: source, indent: '' });
}
