/** A place in the author's source; line and column count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

const CALL = /^(?: *at )?(?:.*? \()?(?:async )?((?:file:\/\/)?\/(?:(?!<anonymous>).)+):(\d+):(\d+)\)?$/;

/**
 * Where a line of a stack points to, `at name (file:line:column)` or `at async file:line:column`; null: to no file. Paths may hold
 * spaces and parentheses; modules that are run as they are have URLs.
 */
export function placeInStack(line: string): Place | null {
  const match = CALL.exec(line);
  return match && { file: pathOf(match[1]!), line: Number(match[2]), column: Number(match[3]) };
}

/** Of a `file:` URL as stacks have it, or of what is a path already. */
export function pathOf(location: string): string {
  return location.startsWith('file://') ? decodeURIComponent(location.slice('file://'.length)) : location;
}
