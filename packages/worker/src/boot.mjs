// The entry of a worker thread, in JavaScript on purpose: stripping types in every thread would cost it 40 ms of CPU
// and 10 MB. Its supervisor has the stripped sources and hands them over with the lease.
import { registerHooks } from 'node:module';

/**
 * @param {{ sources: Record<string, string>, modules: import('node:worker_threads').MessagePort, entry: string, protocol: string }} task
 *   what `lease` of thread.ts takes; by `file:` URL the JavaScript of the runtime's modules, which are TypeScript on disk; where to
 *   ask for the servlet's; and where the protocol is, since a guest's thread may not look through the directories in which packages are searched
 */
export default async function boot(task) {
  const { sources, protocol, modules } = task;
  const compile = new Promise((resolve, reject) => {
    modules.once('message', (answer) => {
      modules.close();
      if (answer.error) return reject(answer.error);
      Object.assign(sources, answer.sources);
      resolve(answer.compile);
    });
    modules.postMessage(null);
  });
  // Who waits for it may not be there yet.
  compile.catch(() => {});
  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      specifier === '@custodian/protocol' ? { url: protocol, shortCircuit: true } : nextResolve(specifier, context),
    load: (url, context, nextLoad) =>
      sources[url] === undefined
        ? nextLoad(url, context)
        : { format: 'module', source: sources[url], shortCircuit: true },
  });
  const { default: lease } = await import(task.entry);
  return lease({ ...task, compile });
}
