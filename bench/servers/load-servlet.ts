// Loads a servlet as a cell does: the supervisor looks for what was kept of its modules, the thread compiles what is missing and imports it.
// load-servlet.ts SERVLET CACHE_DIR: prints the milliseconds of CPU that it took of the supervisor, which works while the thread starts, and of the thread.
import { mkdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { LeaseOrder } from '@custodian/protocol';
import { CompiledModules } from '../../packages/host/src/cell/compiled-modules.ts';
import { ModuleSources } from '../../packages/host/src/cell/module-sources.ts';
// @ts-expect-error the entry of a thread is JavaScript
import { serveSources as serveKept } from '../../packages/worker/src/boot.mjs';
import { installCompiler } from '../../packages/worker/src/servlet/compile-hook.ts';
import { COMPILER_PACKAGES } from '../../packages/worker/src/servlet/compiler-packages.ts';
import { installResolver } from '../../packages/worker/src/servlet/load.ts';

const [, , servlet, cacheDir] = process.argv as [string, string, string, string];
const compiler = new URL('../../packages/worker/src/continuation/compile/compile.ts', import.meta.url).href;
// The library that every servlet imports is in the thread before its servlet is.
await import('../../packages/worker/src/index.ts');
await import('../../packages/worker/src/continuation/emitted.ts');
installResolver();
mkdirSync(cacheDir, { recursive: true });
const PROTOCOL = import.meta.resolve('@custodian/protocol');
const sources = new ModuleSources(cacheDir, {
  '@custodian/protocol': PROTOCOL,
  '@custodian/worker': import.meta.resolve('@custodian/worker'),
});
// A cell has done this before it knows what it will run.
const runtime = sources.collect(import.meta.resolve('@custodian/worker'));
const serveSources = serveKept as (protocol: string) => (kept: Record<string, string>) => void;
const modules = new CompiledModules(cacheDir, sources, compiler, COMPILER_PACKAGES);
const servletUrl = pathToFileURL(servlet).href;

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
const start = cpuMs();
const order = modules.orderFor({
  servletUrl,
  servletName: 'bench',
  compiledPackages: [] as string[],
} as unknown as LeaseOrder);
if (order === null) throw new Error(`Cannot compile "${servlet}": it asks for no continuations`);
const own = order.port === null ? {} : { ...modules.compilerSources };
const given = sources.collect(servletUrl, own, new Set(Object.keys(runtime)));
const supervisorMs = cpuMs() - start;
serveSources(PROTOCOL)(given);
installCompiler(order);
await import(servletUrl);
process.stdout.write(JSON.stringify({ supervisorMs, threadMs: cpuMs() - start - supervisorMs }));
// What was compiled is on its way to the supervisor, which is this thread too.
setTimeout(() => {
  order.port?.close();
  sources.save();
}, 200);
