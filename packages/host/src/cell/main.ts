/**
 * The main thread of a cell: its supervisor. It runs no servlet code. It starts a thread for each lease, reads from
 * outside what the threads hold and use, ends those that are over a limit, and reports. It trusts nothing that comes
 * from a thread, and if it falls all the same, only this process is lost: the acceptor sees the end of it.
 */
import { Socket } from 'node:net';
import { flushCompileCache } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import {
  failureOf,
  JsonLineReader,
  type LeaseOrder,
  type ToCell,
  type ToSupervisor,
  writeJsonLine,
} from '@custodian/protocol';
import { Piscina } from 'piscina';
import { CompiledModules, type CompileOrder } from './compiled-modules.ts';
import { CpuMeter } from './cpu-meter.ts';
import { KeptHeaps } from './kept-heap.ts';
import { libraryPart } from './library-part.ts';
import { Lookout } from './lookout.ts';
import { type MemoryFindings, MemoryWatch } from './memory-watch.ts';
import { ModuleSources } from './module-sources.ts';
import { OwnMemory } from './own-memory.ts';
import { removeTree } from '../remove-tree.ts';
import { SupervisedThread } from './supervised-thread.ts';
import { startIn } from './thread-start.ts';
import { WarmUp } from './warm-up.ts';

const CONTROL_FD = 3;
const [, , CACHE_DIR, EMPTY_DIR, CHANNELS, CODE_RANGE_MB] = process.argv as Arguments;
/** `codeRangeMb`: memory for machine code that each thread is to reserve; 0: as much as V8 likes. */
type Arguments = [
  node: string,
  main: string,
  cacheDir: string,
  emptyDir: string,
  channels: string,
  codeRangeMb: string,
];
const PROTOCOL = import.meta.resolve('@custodian/protocol');
const WORKER = import.meta.resolve('@custodian/worker');
const BOOT = fileURLToPath(new URL('boot.mjs', WORKER));
// `.ts` in a checkout, `.js` in a package: as the package's entry is.
const THREAD = new URL(`thread${extname(WORKER)}`, WORKER).href;
/** What a thread knows the module by that has a part of the library: see {@link libraryPart}. */
const LIBRARY_PART = `${WORKER}?part`;
const CODE_RANGE = Number(CODE_RANGE_MB) > 0 ? { codeRangeSizeMb: Number(CODE_RANGE_MB) } : {};
/**
 * V8's, for threads: a garbage collector that works when there is garbage, not when there is no room, as the ledger charges used heap; and that
 * gives buffers back before it says that it is through. On another thread they would count as held until the next collection.
 */
const THREAD_FLAGS = [
  '--initial-old-space-size=16',
  '--heap-growing-percent=50',
  '--no-concurrent-array-buffer-sweeping',
  '--expose-gc',
];
/** V8's own limit stands far above the cap: V8 aborts the process when a small one is overrun at once. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 4096, maxYoungGenerationSizeMb: 24, ...CODE_RANGE };
/** A thread that is to end is looked at so often until it is gone, or known to be in a native call. */
const STUCK_AGAIN_MS = 10;

const control = new Socket({ fd: CONTROL_FD, readable: true, writable: true });
const threads = new Map<number, SupervisedThread>();
const ownMemory = new OwnMemory();
const keptHeaps = new KeptHeaps();
const findings: MemoryFindings = {
  onCharged: (charged) => lookout.report(charged),
  onBreach: (thread, bytes, max) => breach(thread, 'rss', bytes, max),
};
const memory = new MemoryWatch(threads, findings, ownMemory, keptHeaps);
const pools = new Map<string, Piscina>();
/** Of what supervising costs: its start, and what threads need for theirs, is no part of it. */
let meter = new CpuMeter();
const lookout = new Lookout(threads, { memory, keptHeaps, cpuMs: () => meter.ms }, (reported, samplingMs) =>
  send({ type: 'sample', threads: reported, samplingMs }),
);

function send(message: ToSupervisor): void {
  writeJsonLine(control, message);
}

function onOrder(message: ToCell): void {
  lookout.onNews();
  switch (message.type) {
    case 'lease':
      meter.apart(() => startThread(message.order));
      return;
    case 'watch': {
      const thread = threads.get(message.lease);
      if (thread === undefined) return;
      thread.watch(message.cpuMs);
      memory.begin(thread, message.beforeBytes);
      lookout.look();
      return;
    }
    case 'renew':
      threads.get(message.lease)?.renew(message.cpuMs);
      return;
    case 'unwatch': {
      const thread = threads.get(message.lease);
      if (thread === undefined) return;
      const isStarted = thread.isStarting;
      thread.unwatch();
      if (isStarted) {
        memory.onStarted(thread);
        lookout.onStarted();
      } else {
        memory.onRequestOver();
        lookout.onRequestOver();
      }
      return;
    }
    case 'revoke': {
      const thread = threads.get(message.lease);
      if (thread === undefined) return;
      const { id, isOver } = thread.running.revoke();
      send({ type: 'revoked', lease: message.lease, round: message.round, last: id, isOver });
      return;
    }
    case 'restore':
      threads.get(message.lease)?.running.restore();
      send({ type: 'restored', lease: message.lease, round: message.round });
      return;
    case 'kill': {
      const thread = threads.get(message.lease);
      if (thread !== undefined) end(thread);
      return;
    }
    case 'adjust':
      threads.get(message.lease)?.adjust(message.heapMaxBytes);
      return;
    case 'collect':
      threads.get(message.lease)?.collect();
      return;
    case 'heap-snapshot':
      void writeHeapSnapshot(message.lease, message.file);
      return;
    case 'warm-up':
      try {
        meter.apart(() =>
          warmUp.begin(
            () => send({ type: 'warmed-up' }),
            () => lookout.onNews(),
          ),
        );
      } catch {
        // Where no thread can be had, the first servlet will say so.
      }
      return;
    case 'active':
      lookout.setActive(message.isActive);
      return;
  }
}

/** One pool per servlet, since the permissions of a thread are the pool's; one `run()` per lease. */
function poolFor(order: LeaseOrder): Piscina {
  let pool = pools.get(order.servletName);
  if (pool === undefined) {
    pool = new Piscina({
      filename: BOOT,
      minThreads: 0,
      maxThreads: Number(CHANNELS),
      concurrentTasksPerWorker: 1,
      // The default would freeze the thread's event loop between tasks.
      atomics: 'disabled',
      env: {},
      workerData: BOOT_DATA,
      execArgv: order.execArgv,
      resourceLimits: RESOURCE_LIMITS,
    });
    pool.on('error', () => {
      // A thread that fails is reported by its exit.
    });
    pools.set(order.servletName, pool);
  }
  return pool;
}

const warmUp = new WarmUp({
  boot: new URL('warm-up.mjs', WORKER),
  resourceLimits: RESOURCE_LIMITS,
  directory: EMPTY_DIR,
  data: () => ({
    ...BOOT_DATA,
    sources: { ...runtimeSources, ...compiledModules.compilerSources },
    packages: COMPILER_PACKAGES,
  }),
});
const runtime = { '@custodian/protocol': PROTOCOL, '@custodian/worker': WORKER };
const sources = new ModuleSources(CACHE_DIR, runtime, (text) => warmUp.strip(text));
const runtimeSources = sources.collect(THREAD);
// Compiled modules import it; nothing else does.
sources.collect(new URL(`continuation/emitted${extname(WORKER)}`, WORKER).href, runtimeSources);
const BOOT_DATA = { entry: THREAD, protocol: PROTOCOL, sources: runtimeSources };
const compiler = new URL(`continuation/compile/compile${extname(WORKER)}`, WORKER).href;
const { COMPILER_PACKAGES } = (await import(new URL(`servlet/compiler-packages${extname(WORKER)}`, WORKER).href)) as {
  COMPILER_PACKAGES: Readonly<Record<string, string>>;
};
const compiledModules = new CompiledModules(CACHE_DIR, sources, compiler, COMPILER_PACKAGES);

/** What the thread of a servlet runs beside its runtime. */
interface ThreadModules {
  /** Stripped, by URL. */
  sources: Record<string, string>;
  /** null: it asks for no continuations. */
  compile: CompileOrder | null;
  /** Those who import a part of the library, which is among the sources. */
  partImporters: string[];
}

function modulesFor(order: LeaseOrder): ThreadModules {
  const compile = compiledModules.orderFor(order);
  const own = compile?.port ? compiledModules.compilerSources : {};
  const root = order.guest === null ? '' : new URL('.', order.servletUrl).href;
  const all = sources.collect(order.servletUrl, own, new Set(Object.keys(runtimeSources)), root);
  // Pages that are saved need all of it.
  const isPartEnough = compile === null || compile.persistence === null;
  const part = isPartEnough
    ? libraryPart(runtimeSources[WORKER] ?? '', ownModules({ ...all, ...compile?.code }))
    : null;
  if (part !== null) all[LIBRARY_PART] = part.source;
  return { sources: all, compile, partImporters: part?.importers ?? [] };
}

function ownModules(modules: Record<string, string>): [url: string, text: string][] {
  return Object.entries(modules).filter(([url]) => !sources.isRuntime(url));
}

/**
 * The port at which a thread finds its servlet's modules. They are read and stripped as soon as it has been started: on
 * another core it boots and loads its runtime meanwhile.
 */
function modulesPort(order: LeaseOrder): MessagePort {
  const { port1, port2 } = new MessageChannel();
  warmUp.onServlet();
  ownMemory.leaveOut(warmUp);
  setImmediate(() => void giveModules(order, port1));
  return port2;
}

async function giveModules(order: LeaseOrder, port: MessagePort): Promise<void> {
  try {
    const modules = meter.apart(() => ownMemory.apart(() => modulesFor(order)));
    const { compile } = modules;
    if (compile !== null) compile.ahead = await warmUp.compile(meter.apart(() => compiledModules.toCompile(compile)));
    // It takes memory that the thread will need, and nobody else's modules pass through it.
    warmUp.end();
    port.postMessage(modules, compile?.port ? [compile.port] : []);
    meter.apart(() => {
      sources.save();
      if (compile !== null) compiledModules.keepAhead(compile);
    });
  } catch (error) {
    warmUp.end();
    port.postMessage({ error });
  }
}

function startThread(order: LeaseOrder): void {
  const pool = poolFor(order);
  const thread = new SupervisedThread(
    order,
    (over) => breach(thread, over.cause, over.value, over.max),
    (failure) => {
      threads.delete(order.lease);
      lookout.onNews();
      keptHeaps.add(thread.stated.committedBytes - thread.stated.offHeapBytes);
      memory.onGone(thread);
      for (const other of threads.values()) other.onOthersMemory();
      if (order.guest !== null) void removeTree(order.guest.tempDir).catch(() => {});
      send({ type: 'exit', lease: order.lease, running: thread.running.current, failure });
    },
  );
  thread.onCollected = (rssBytes) => {
    lookout.onNews();
    memory.onCollected(thread, rssBytes);
  };
  for (const other of threads.values()) other.onOthersMemory();
  threads.set(order.lease, thread);
  try {
    startIn(pool, thread, () => modulesPort(order));
  } catch (error) {
    threads.delete(order.lease);
    send({ type: 'exit', lease: order.lease, running: 0, failure: failureOf(error) });
  }
}

async function writeHeapSnapshot(lease: number, file: string): Promise<void> {
  let problem: string | null = null;
  try {
    const thread = threads.get(lease);
    if (thread === undefined) throw new Error('the thread is gone');
    await memory.writeHeapSnapshot(thread, file);
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  lookout.onNews();
  send({ type: 'heap-snapshot', lease, problem });
}

function breach(thread: SupervisedThread, cause: 'heap' | 'rss' | 'cpu', value: number, max: number): void {
  if (thread.isEnding) return;
  send({ type: 'breach', lease: thread.order.lease, cause, value: Math.round(value), max });
  end(thread);
}

/** What it has used until then is charged to what it ran. */
function end(thread: SupervisedThread): void {
  if (thread.isEnding) return;
  thread.askKernel();
  lookout.report([thread]);
  thread.end();
  // An answer that has come is read first.
  setImmediate(tellIfStuck, thread);
}

/** One that neither answers nor ends may have had no processor yet. */
function tellIfStuck(thread: SupervisedThread): void {
  if (threads.get(thread.order.lease) !== thread) return;
  if (thread.looksStuck()) send({ type: 'stuck', lease: thread.order.lease });
  else setTimeout(tellIfStuck, STUCK_AGAIN_MS, thread);
}

// A guest can post forged messages on its thread's hidden ports, and Node's handlers for them throw here.
process.on('uncaughtException', () => {});
process.on('unhandledRejection', () => {});
// A permissioned thread may read its process's current directory, whatever it is granted.
process.chdir(EMPTY_DIR);

const orders = new JsonLineReader((value) => onOrder(value as ToCell));
control.on('data', (chunk: Buffer) => orders.push(chunk));
// The acceptor is gone: nobody is left to serve.
control.on('close', () => process.exit(0));
control.on('error', () => process.exit(0));
// Not on the command line: what Node has compiled of its own modules is good for V8 without flags only, and all that is
// imported above would be compiled again.
for (const flag of THREAD_FLAGS) setFlagsFromString(flag);
send({ type: 'booted' });
setImmediate(() => {
  sources.save();
  // Node writes what it stripped and compiled at an orderly end only, and most cells are killed: the next would do it all again.
  flushCompileCache();
  meter = new CpuMeter();
});
lookout.begin();
