import { registerHooks } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Persistence, ServletLimits } from '@custodian/protocol';
import type { ContinuationManager } from '../manager/manager.ts';
import type { SealOptions } from '../stuffer/seal-stuffer.ts';
import { setServletUrl } from './beside.ts';
import type { Servlet } from './servlet.ts';

/** A module can't be loaded, or is no servlet. */
export class ServletLoadError extends Error {
  override readonly name = 'ServletLoadError';
  readonly code = 'SERVLET_LOAD';
}

// A second slash or a backslash would lead to another host.
const START_URL = /^\/(?![/\\])[\x21-\x7e]*$/;
const LIFETIME_MAX_MS = 400 * 86_400_000;
const LIMIT_NAMES: readonly (keyof ServletLimits)[] = ['heapMb', 'cpuMs', 'wallMs'];

/**
 * Imports a servlet's module. It may export a function (as default, or named `start`), or as default any object with
 * a `fetch` function; and `limits`, `startUrl`, `manager`, `requestBody`, and `stateless` or `checkpoint`; with `stateless`
 * also `stuffer`, or `bindTo` and `lifetimeMs` for the default one.
 * @param url the module's `file:` URL
 * @param persistence for what it was compiled; absent: it is run as it is, since it never suspends
 * @throws ServletLoadError, which names the file; what the module itself threw is its cause.
 */
export async function loadServlet(url: string, persistence?: Persistence | null): Promise<Servlet> {
  setServletUrl(url);
  let module: Record<string, unknown>;
  try {
    module = (await import(url)) as Record<string, unknown>;
  } catch (cause) {
    throw loadError(
      url,
      `importing it failed with ${cause instanceof Error ? `${cause.name}: ${cause.message}` : 'a thrown value'}`,
      cause,
    );
  }
  const limits = checkedLimits(url, module['limits']);
  const startUrl = checkedStartUrl(url, module['startUrl']);
  const manager = checkedManager(url, module['manager']);
  const takesRawBody = checkedRequestBody(url, module['requestBody']);
  const isDefault = 'default' in module;
  const main = isDefault ? module['default'] : module['start'];
  if (persistence !== undefined) checkPersistence(url, module, persistence);
  const stuffer = checkedStuffer(url, module['stuffer']);
  const sealing = checkedSealing(url, module['bindTo'], module['lifetimeMs']);
  const exports = { limits, startUrl, manager, takesRawBody, stuffer, sealing, persistence: persistence ?? null };
  if (hasFetch(main)) return { kind: 'fetch', ...exports, handle: (request) => main.fetch(request.toRequest()) };
  if (typeof main === 'function') return { kind: 'servlet', ...exports, handle: main as Servlet['handle'] };
  throw loadError(
    url,
    main === undefined
      ? 'it has no default export; a servlet exports a function, or an object with a function "fetch"'
      : `its ${isDefault ? 'default export' : 'export "start"'} is neither a function nor an object with a function "fetch"`,
  );
}

const LIBRARY = new URL(`../index${extname(import.meta.url)}`, import.meta.url).href;
/** What a part of it is known by to its supervisor, who has made it: see {@link installPart}. */
export const LIBRARY_PART: string = `${LIBRARY}?part`;
/** Modules that have not got it yet, by URL. */
const partImporters = { __proto__: null } as unknown as Record<string, boolean>;

/** These modules get, when they are linked, a part of this package in its place, in which all is that they import of it by name. */
export function installPart(importers: readonly string[]): void {
  for (const url of importers) partImporters[url] = true;
}

/**
 * Lets a servlet anywhere on disk import this package, and always this copy of it, by its name.
 * Call it once in a thread, before {@link loadServlet}.
 */
export function installResolver(): void {
  registerHooks({
    // Answered here, not passed on: `require` takes no URL.
    resolve(specifier, context, nextResolve) {
      if (specifier !== '@custodian/worker') return nextResolve(specifier, context);
      const importer = context.parentURL ?? '';
      const isLinked = partImporters[importer] === true;
      // What it imports later, as it runs, its text may not tell.
      if (isLinked) partImporters[importer] = false;
      return { url: isLinked ? LIBRARY_PART : LIBRARY, shortCircuit: true };
    },
  });
}

function hasFetch(value: unknown): value is { fetch(request: Request): unknown } {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as { fetch?: unknown }).fetch === 'function'
  );
}

function checkedLimits(url: string, limits: unknown): ServletLimits {
  if (limits === undefined) return {};
  if (typeof limits !== 'object' || limits === null) throw loadError(url, 'its export "limits" is not an object');
  const checked: ServletLimits = {};
  for (const [name, value] of Object.entries(limits)) {
    const known = LIMIT_NAMES.find((limit) => limit === name);
    if (known === undefined) throw loadError(url, `it sets a limit "${name}"; there are ${LIMIT_NAMES.join(', ')}`);
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw loadError(url, `its limit "${name}" is not a positive number`);
    }
    checked[known] = value;
  }
  return checked;
}

function checkedStartUrl(url: string, startUrl: unknown): string | undefined {
  if (startUrl === undefined || (typeof startUrl === 'string' && START_URL.test(startUrl))) return startUrl;
  throw loadError(url, 'its export "startUrl" is not a path on this site, such as "/shop"');
}

function checkedRequestBody(url: string, requestBody: unknown): boolean {
  if (requestBody === undefined || requestBody === 'raw') return requestBody === 'raw';
  throw loadError(url, 'its export "requestBody" is not "raw", which is all that it can be');
}

function checkedManager(url: string, manager: unknown): ContinuationManager | undefined {
  if (manager === undefined || typeof (manager as { store?: unknown } | null)?.store === 'function')
    return manager as ContinuationManager | undefined;
  throw loadError(url, 'its export "manager" is no continuation manager');
}

/** It is read from the module's text before the module is compiled; so the text must say it plainly. */
function checkPersistence(url: string, module: Record<string, unknown>, persistence: Persistence | null): void {
  for (const name of ['stateless', 'checkpoint'] as const) {
    const value = module[name];
    if (value === undefined || value === (persistence === name)) continue;
    if (value === false) throw loadError(url, `its export "${name}" is false, and the host was told "${name}"`);
    throw loadError(
      url,
      value === true
        ? `its export "${name}" is not written as "export const ${name} = true", or excludes what the host was told`
        : `its export "${name}" is neither true nor false`,
    );
  }
}

function checkedStuffer(url: string, stuffer: unknown): Servlet['stuffer'] {
  if (stuffer === undefined) return undefined;
  const { in: into, out } = (typeof stuffer === 'object' && stuffer !== null ? stuffer : {}) as Record<string, unknown>;
  if (typeof into === 'function' && typeof out === 'function') return stuffer as Servlet['stuffer'];
  throw loadError(url, 'its export "stuffer" is no stuffer');
}

function checkedSealing(url: string, bindTo: unknown, lifetimeMs: unknown): SealOptions {
  const sealing: SealOptions = {};
  if (typeof bindTo === 'function') sealing.bindTo = bindTo as NonNullable<SealOptions['bindTo']>;
  else if (bindTo !== undefined) throw loadError(url, 'its export "bindTo" is not a function of the request');
  if (typeof lifetimeMs === 'number' && lifetimeMs > 0 && lifetimeMs <= LIFETIME_MAX_MS)
    sealing.lifetimeMs = lifetimeMs;
  else if (lifetimeMs !== undefined)
    throw loadError(url, 'its export "lifetimeMs" is not a number of ms, 400 days at the most');
  return sealing;
}

function loadError(url: string, state: string, cause?: unknown): ServletLoadError {
  const file = url.startsWith('file:') ? fileURLToPath(url) : url;
  return new ServletLoadError(`Cannot load servlet "${file}": ${state}`, cause === undefined ? undefined : { cause });
}
