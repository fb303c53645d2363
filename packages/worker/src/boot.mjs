// The entry of a worker thread, in JavaScript on purpose: stripping types in every thread would cost it 40 ms of CPU
// and 10 MB. Its supervisor has the stripped sources and hands them over: those of the runtime, and where its entry and the
// protocol are, as `workerData`; those of the servlet with the lease.
import { registerHooks } from 'node:module';
import { workerData } from 'node:worker_threads';

// Kept from the servlet, which may replace it.
const { URL } = globalThis;

/**
 * From now on, modules that are kept are taken from memory, and those of the runtime are not even looked for. Returns what keeps
 * more of them, by `file:` URL. `protocol`: where it is, since a guest's thread may not look through
 * the directories in which packages are searched.
 * @param {string} protocol
 * @returns {(sources: Record<string, string>) => void}
 */
export function serveSources(protocol) {
  /** By URL. @type {Record<string, string>} */
  const kept = {};
  /** Those of the runtime, which import each other by where they are. @type {Record<string, true>} */
  const runtime = {};
  const roots = [import.meta.url, protocol].map((url) => new URL('.', url).href);
  registerHooks({
    resolve: (specifier, context, nextResolve) => {
      if (specifier === '@custodian/protocol') return { url: protocol, format: 'module', shortCircuit: true };
      // Node would look for each on disk, and at every directory above it: longer than it takes to compile it.
      if (specifier[0] === '.' && runtime[context.parentURL] === true) {
        const { href } = new URL(specifier, context.parentURL);
        if (runtime[href] === true) return { url: href, format: 'module', shortCircuit: true };
      }
      return nextResolve(specifier, context);
    },
    load: (url, context, nextLoad) =>
      kept[url] === undefined ? nextLoad(url, context) : { format: 'module', source: kept[url], shortCircuit: true },
  });
  return (sources) => {
    Object.assign(kept, sources);
    for (const url of Object.keys(sources)) if (roots.some((root) => url.startsWith(root))) runtime[url] = true;
  };
}

/** @type {{ entry: string, protocol: string, sources: Record<string, string> } | null} */
const data = workerData;
const keep = data === null ? null : serveSources(data.protocol);
keep?.(data.sources);
// Not when the lease is here: the supervisor may be busy with the servlet's modules until then.
const runtime = data === null ? null : import(data.entry);
// Who waits for it is not here yet.
runtime?.catch(() => {});

/** @param {{ modules: import('node:worker_threads').MessagePort }} task what `lease` of thread.ts takes, but for the modules, which arrive there */
export default async function boot(task) {
  const { modules } = task;
  const arrived = new Promise((resolve, reject) => {
    modules.once('message', (answer) => {
      modules.close();
      if (answer.error) return reject(answer.error);
      keep(answer.sources);
      resolve(answer);
    });
  });
  arrived.catch(() => {});
  const { default: lease } = await runtime;
  return lease({ ...task, modules: arrived });
}
