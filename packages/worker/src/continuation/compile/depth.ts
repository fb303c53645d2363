import { ServletTooDeepError } from '../too-deep-error.ts';
import { children, type Node } from './ast.ts';
import { SourceLines } from './source-lines.ts';

/**
 * Runs passes over a module's tree. They follow it by calling themselves, so that a chain of some thousand calls is more than
 * there is stack for.
 * @throws ServletTooDeepError for what was a RangeError without a place
 */
export function withinStack<Result>(
  program: Node,
  { file, source }: { file: string; source: string },
  run: () => Result,
): Result {
  try {
    return run();
  } catch (error) {
    if (!isStackOverflow(error)) throw error;
    throw new ServletTooDeepError(file, { source, ...new SourceLines(source).placeOf(deepestOf(program)) });
  }
}

function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message === 'Maximum call stack size exceeded';
}

/** Goes through the tree level by level: whoever asks has no stack for more. */
function deepestOf(program: Node): Node {
  let level = [program];
  for (;;) {
    const below = level.flatMap(children);
    if (below.length === 0) return level[0] as Node;
    level = below;
  }
}
