// The entry of a worker thread, in JavaScript on purpose: stripping types in every thread would cost it 40 ms of CPU
// and 10 MB. Its supervisor has the stripped sources and hands them over with the lease.
import { registerHooks } from 'node:module';

/**
 * @param {{ sources: Record<string, string>, entry: string, protocol: string }} task what `lease` of thread.ts takes; by
 *   `file:` URL the JavaScript of modules that are TypeScript on disk; and where the protocol is, since a guest's thread
 *   may not look through the directories in which packages are searched
 */
export default async function boot(task) {
  const { sources, protocol } = task;
  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      specifier === '@custodian/protocol' ? { url: protocol, shortCircuit: true } : nextResolve(specifier, context),
    load: (url, context, nextLoad) =>
      sources[url] === undefined
        ? nextLoad(url, context)
        : { format: 'module', source: sources[url], shortCircuit: true },
  });
  const { default: lease } = await import(task.entry);
  return lease(task);
}
