/**
 * What needs continuations of all that a servlet may import. A servlet none of whose modules imports one of these is
 * run as it is; the modules of the others are compiled.
 */
export const SUSPENDING_NAMES: ReadonlySet<string> = new Set([
  'adjustTimeout',
  'captureContinuation',
  'clearContinuations',
  'currentRequest',
  'embedFormlet',
  'embedUrl',
  'getBinding',
  'getBindings',
  'native',
  'onExpired',
  'page',
  'redirectGet',
  'redirectGetForget',
  'sendBack',
  'sendFinish',
  'sendFormlet',
  'sendForward',
  'sendSuspend',
  'sendSuspendDispatch',
  'sendSuspendHidden',
  'sendSuspendUrl',
  'sendSuspendUrlDispatch',
  'sequential',
  'serverRef',
  'webCell',
  'webParameter',
  'withErrorsToBrowser',
]);

const LIBRARY_IMPORT = /\b(?:import|export)\s+([\w$\s,*{}]+?)\s*from\s*['"]@custodian\/worker['"]/g;
const DYNAMIC_IMPORT = /\bimport\s*\(\s*['"]@custodian\/worker['"]/;

/** Does a module import something that needs continuations? By its text: a false yes costs a compilation, no more. */
export function importsSuspension(source: string): boolean {
  for (const [, clause] of source.matchAll(LIBRARY_IMPORT)) {
    if ((clause as string).includes('*')) return true;
    for (const [name] of (clause as string).matchAll(/[\w$]+/g)) if (SUSPENDING_NAMES.has(name)) return true;
  }
  return DYNAMIC_IMPORT.test(source);
}

/**
 * How the pages of a servlet outlive its thread. `stateless`: each page's continuation is written down, and nothing is kept in the
 * thread. `checkpoint`: what the thread keeps is written down too, where it can be.
 */
export type Persistence = 'stateless' | 'checkpoint';

const PERSISTENCE_EXPORT = /^\s*export\s+const\s+(stateless|checkpoint)\s*=\s*true\b/m;

/** What a servlet's module asks for with `export const stateless = true`, by its text (without its types). */
export function persistenceOf(source: string): Persistence | null {
  return (PERSISTENCE_EXPORT.exec(source)?.[1] ?? null) as Persistence | null;
}
