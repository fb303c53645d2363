import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { deniedModule, type GuestBuiltins } from './builtins.ts';
import { asModule, type CommonJs } from './commonjs.ts';
import { DeniedError } from './errors.ts';
import { sliceFrom, startsWith } from './originals.ts';

/** Modules that stand for a part of a built-in one. */
const PART = 'custodian-guest:';
/** Gives the exports of a CommonJS module to the ES module that stands for it. */
const COMMONJS = `${PART}commonjs`;
const BUILTIN = 'node:';
const LOADER: string = import.meta.url;

let builtins: GuestBuiltins | null = null;
let commonJs: CommonJs | null = null;
let runtimes: readonly string[] = [];
let published: readonly string[] = [];

/** For the modules that are made here. */
export const part = (name: string): unknown => builtins?.get(name);
/** For the modules that are made here. */
export const commonjs = (path: string): unknown => commonJs?.load(path);

export interface ModulePolicy {
  builtins: GuestBuiltins;
  commonJs: CommonJs;
  /** `file:` URLs of directories whose modules only they themselves may import… */
  runtimes: readonly string[];
  /** …except for these. */
  published: readonly string[];
}

/**
 * From now on a module gets only those built-ins that a guest may have, whoever imports it, and no guest imports the
 * inside of the runtime. Install it after every other hook, so that it decides on what those have made of a name.
 */
export function installModulePolicy(policy: ModulePolicy): void {
  ({ builtins, commonJs, runtimes, published } = policy);
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === COMMONJS) return { url: COMMONJS, format: 'module', shortCircuit: true };
      const resolved = nextResolve(specifier, context);
      const { url } = resolved;
      if (startsWith(url, BUILTIN)) return resolveBuiltin(sliceFrom(url, BUILTIN.length), resolved, policy.builtins);
      if (!isRuntime(context.parentURL ?? '')) checkModule(url);
      return resolved;
    },
    load(url, context, nextLoad) {
      if (url === COMMONJS) {
        const source = `export { commonjs } from ${JSON.stringify(LOADER)};`;
        return { format: 'module', source, shortCircuit: true };
      }
      if (startsWith(url, PART)) {
        const source = partModule(sliceFrom(url, PART.length), policy.builtins);
        return { format: 'module', source, shortCircuit: true };
      }
      const loaded = nextLoad(url, context);
      const format: string = loaded.format ?? '';
      if (format === 'addon') throw new DeniedError(`Cannot load "${url}": a guest may load no native code`);
      if (format !== 'commonjs' && format !== 'commonjs-typescript') return loaded;
      const path = fileURLToPath(url);
      const source = asModule(path, policy.commonJs.load(path), COMMONJS);
      return { format: 'module', source, shortCircuit: true };
    },
  });
}

/** @throws DeniedError for the inside of the runtime */
export function checkModule(url: string): void {
  if (!isRuntime(url)) return;
  for (let at = 0; at < published.length; at++) if (url === published[at]) return;
  throw new DeniedError(`Cannot import "${url}": it is no servlet's business`);
}

function isRuntime(url: string): boolean {
  if (startsWith(url, PART)) return true;
  for (let at = 0; at < runtimes.length; at++) if (startsWith(url, runtimes[at] as string)) return true;
  return false;
}

function resolveBuiltin<Resolved extends { url: string }>(
  name: string,
  resolved: Resolved,
  allowed: GuestBuiltins,
): Resolved | { url: string; format: 'module'; shortCircuit: true } {
  if (allowed.isPure(name)) return resolved;
  if (allowed.isPartly(name)) return { url: PART + name, format: 'module', shortCircuit: true };
  throw deniedModule(name);
}

function partModule(name: string, allowed: GuestBuiltins): string {
  const members = Object.keys(allowed.get(name)).filter((member) => /^[\w$]+$/.test(member) && member !== 'default');
  return [
    `import { part } from ${JSON.stringify(LOADER)};`,
    `const module = part(${JSON.stringify(name)});`,
    'export default module;',
    ...members.map((member, at) => `const m${at} = module.${member}; export { m${at} as ${member} };`),
  ].join('\n');
}
