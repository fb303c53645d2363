import type { Node } from './ast.ts';
import type { Variable } from './scope.ts';

/** By what names servlets import the library. */
export const SERVLET_MODULES: readonly string[] = ['@custodian/worker'];

/** Functions of the library that suspend the run that calls them. */
export const SUSPENDING: ReadonlySet<string> = new Set([
  'sendSuspend',
  'sendSuspendUrl',
  'sendSuspendHidden',
  'sendSuspendDispatch',
  'sendSuspendUrlDispatch',
  'sendForward',
  'redirectGet',
  'redirectGetForget',
  'captureContinuation',
  'sendFormlet',
  'page',
]);

/** Those of them that are given what makes the page. */
const SHOWING: ReadonlySet<string> = new Set([
  'sendSuspend',
  'sendSuspendUrl',
  'sendSuspendHidden',
  'sendSuspendDispatch',
  'sendSuspendUrlDispatch',
  'sendForward',
]);

/** What the variable is called in the library; `*` for all of it; null if it is not imported from there. */
export function libraryName(variable: Variable, servletModules: readonly string[]): string | null {
  const declaration = variable.declaration;
  if (variable.kind !== 'import' || !servletModules.includes(declaration?.['source'].value)) return null;
  const specifier = (declaration!['specifiers'] as Node[]).find((s) => s['local'].name === variable.name);
  return specifier?.['imported']?.name ?? '*';
}

/**
 * Is the closure written where a page is shown, `await sendSuspend((url) => …)`? The library calls it when the run has
 * unwound, so that nothing of the function around it runs any more while it can look.
 */
export function isPageMaker(closure: Node, servletModules: readonly string[]): boolean {
  const callee = closure['$awaitedCallee'] as Node | undefined,
    isMember = callee?.type === 'MemberExpression' && !callee['computed'],
    variable = (isMember ? callee['object'] : callee)?.$ref?.variable as Variable | null | undefined;
  if (!variable) return false;
  const name = libraryName(variable, servletModules);
  if (isMember) return name === '*' && SHOWING.has(callee['property'].name);
  return name !== null && SHOWING.has(name);
}
