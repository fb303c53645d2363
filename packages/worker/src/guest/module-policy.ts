import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { deniedModule, type GuestBuiltins } from './builtins.ts';
import { asModule, type CommonJs } from './commonjs.ts';
import { DeniedError } from './errors.ts';
import { isPlainName, isPlainPath, keysOf, quoted, sliceFrom, startsWith } from './originals.ts';

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
let closed: readonly string[] = [];

/** For the modules that are made here. */
export const part = (name: string): unknown => builtins?.get(name);
/** For the modules that are made here. */
export const commonjs = (path: string): unknown => commonJs?.loaded(path);

export interface ModulePolicy {
  builtins: GuestBuiltins;
  commonJs: CommonJs;
  /** `file:` URLs of directories whose modules only they themselves may import… */
  runtimes: readonly string[];
  /** …except for these. */
  published: readonly string[];
  /**
   * Beginnings of paths in the first of the directories: what nobody imports any more. Whoever makes the runtime call `eval` for
   * it, as a converter say, imports as the runtime does.
   */
  closed: readonly string[];
}

/**
 * From now on a module gets only those built-ins that a guest may have, whoever imports it, and no guest imports the
 * inside of the runtime. Install it after every other hook, so that it decides on what those have made of a name.
 */
export function installModulePolicy(policy: ModulePolicy): void {
  ({ builtins, commonJs, runtimes, published, closed } = policy);
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === COMMONJS) return { url: COMMONJS, format: 'module', shortCircuit: true };
      const resolved = nextResolve(specifier, context);
      const { url } = resolved;
      if (startsWith(url, BUILTIN)) return resolveBuiltin(sliceFrom(url, BUILTIN.length), resolved, policy.builtins);
      const parent = context.parentURL ?? '';
      // What is made here imports this module.
      if (startsWith(parent, PART)) return resolved;
      if (isRuntime(parent)) checkOpen(url);
      else checkModule(url);
      return resolved;
    },
    load(url, context, nextLoad) {
      if (url === COMMONJS) {
        const source = `export { commonjs } from ${quoted(LOADER)};`;
        return { format: 'module', source, shortCircuit: true };
      }
      if (startsWith(url, PART)) {
        const source = partModule(sliceFrom(url, PART.length), policy.builtins);
        return { format: 'module', source, shortCircuit: true };
      }
      const loaded = nextLoad(url, context);
      const format: string = loaded.format ?? '';
      switch (format) {
        case 'module':
        case 'module-typescript':
        case 'json':
        case 'wasm':
          return loaded;
        case 'builtin':
          if (policy.builtins.isPure(sliceFrom(url, BUILTIN.length))) return loaded;
          throw deniedModule(sliceFrom(url, BUILTIN.length));
        case 'commonjs':
        case 'commonjs-typescript': {
          const path = fileURLToPath(url);
          const source = asModule(path, policy.commonJs.load(path), COMMONJS);
          return { format: 'module', source, shortCircuit: true };
        }
        // Node would find out only after this, and hand the class of modules to what it takes for CommonJS. It comes from
        // our loader alone, which has tried that already.
        case '':
          return { ...loaded, format: 'module', shortCircuit: true };
        case 'typescript':
          return { ...loaded, format: 'module-typescript', shortCircuit: true };
        case 'addon':
          throw new DeniedError(`Cannot load "${url}": a guest may load no native code`);
        default:
          throw new DeniedError(`Cannot load "${url}": a guest may load no module of the format "${format}"`);
      }
    },
  });
}

/** @throws DeniedError for the inside of the runtime */
export function checkModule(url: string): void {
  if (!isRuntime(url)) return;
  for (let at = 0; at < published.length; at++) if (url === published[at]) return;
  throw new DeniedError(`Cannot import "${url}": it is no servlet's business`);
}

/** @throws DeniedError for what the runtime holds for itself, by whatever spelling */
function checkOpen(url: string): void {
  const root = runtimes[0] as string;
  if (!startsWith(url, root)) return;
  const path = sliceFrom(url, root.length);
  let isOpen = isPlainPath(path);
  for (let at = 0; at < closed.length; at++) if (startsWith(path, closed[at] as string)) isOpen = false;
  if (!isOpen) throw new DeniedError(`Cannot import "${url}": it is no servlet's business`);
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

/** Its text runs with the rights of the runtime: nothing that the guest may have replaced or named has a say in it. */
function partModule(name: string, allowed: GuestBuiltins): string {
  let source = `import { part } from ${quoted(LOADER)};\nconst module = part(${quoted(name)});\nexport default module;\n`;
  const members = keysOf(allowed.get(name));
  for (let at = 0; at < members.length; at++) {
    const member = members[at] as string;
    if (member === 'default' || !isPlainName(member)) continue;
    source += `const m${at} = module.${member}; export { m${at} as ${member} };\n`;
  }
  return source;
}
