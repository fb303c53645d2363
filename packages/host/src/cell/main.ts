/**
 * The main thread of a cell: its supervisor. It runs no servlet code. It starts a thread for each lease, reads from
 * outside what the threads hold and use, ends those that are over a limit, and reports. It trusts nothing that comes
 * from a thread, and if it falls all the same, only this process is lost: the acceptor sees the end of it.
 */
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
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
import { ModuleSources } from './module-sources.ts';
import { SupervisedThread } from './supervised-thread.ts';

const CONTROL_FD = 3;
const [, , CACHE_DIR, EMPTY_DIR, CHANNELS] = process.argv as [string, string, string, string, string];
const BOOT = fileURLToPath(import.meta.resolve('@custodian/worker/boot'));
const THREAD = new URL('thread.ts', import.meta.resolve('@custodian/worker/boot')).href;
/** While a request takes longer than a glance, its thread is read this often; the others are read now and then. */
const WATCH_MS = 10;
const ACTIVE_MS = 250;
const IDLE_MS = 1000;

const control = new Socket({ fd: CONTROL_FD, readable: true, writable: true });
const threads = new Map<number, SupervisedThread>();
const pools = new Map<string, Piscina>();
let isActive = false;
let lastFullSample = 0;
let timer: NodeJS.Timeout | null = null;

function send(message: ToSupervisor): void {
  writeJsonLine(control, message);
}

function onOrder(message: ToCell): void {
  switch (message.type) {
    case 'lease':
      startThread(message.order);
      return;
    case 'watch':
      threads.get(message.lease)?.watch(message.cpuMs);
      schedule(WATCH_MS);
      return;
    case 'unwatch':
      threads.get(message.lease)?.unwatch();
      return;
    case 'revoke': {
      const thread = threads.get(message.lease);
      if (thread !== undefined) send({ type: 'revoked', lease: message.lease, running: thread.running.revoke() });
      return;
    }
    case 'restore':
      threads.get(message.lease)?.running.restore();
      return;
    case 'kill':
      threads.get(message.lease)?.end();
      return;
    case 'active':
      isActive = message.isActive;
      schedule(ACTIVE_MS);
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
      execArgv: order.execArgv,
      // V8's own limit stands far above the cap: V8 aborts the process when a small one is overrun at once.
      resourceLimits: { maxOldGenerationSizeMb: 4096, maxYoungGenerationSizeMb: 24 },
    });
    pool.on('error', () => {
      // A thread that fails is reported by its exit.
    });
    pools.set(order.servletName, pool);
  }
  return pool;
}

const sources = new ModuleSources(CACHE_DIR, {
  '@custodian/protocol': import.meta.resolve('@custodian/protocol'),
  '@custodian/worker': import.meta.resolve('@custodian/worker'),
});
const runtimeSources = sources.collect(THREAD);
sources.collect(new URL('continuation/emitted.ts', THREAD).href, runtimeSources);

const compiledModules = new CompiledModules(CACHE_DIR, sources, import.meta.resolve('@custodian/worker'));

/** What the thread runs: the stripped sources, and for a servlet with continuations what is compiled of them. */
function modulesFor(order: LeaseOrder): { sources: Record<string, string>; compile: CompileOrder | null } {
  const compile = compiledModules.orderFor(order);
  const base = compile?.port ? { ...runtimeSources, ...compiledModules.compilerSources } : { ...runtimeSources };
  return { sources: sources.collect(order.servletUrl, base), compile };
}

function startThread(order: LeaseOrder): void {
  const pool = poolFor(order);
  const thread = new SupervisedThread(
    order,
    (over) => breach(thread, over.cause, over.value, over.max),
    (failure) => {
      threads.delete(order.lease);
      send({ type: 'exit', lease: order.lease, running: thread.running.current, failure });
    },
  );
  threads.set(order.lease, thread);
  try {
    const known = new Set(pool.threads);
    const { memory, collectorPort, signal } = thread;
    const { compile, ...modules } = modulesFor(order);
    const task = { order, memory, collectorPort, entry: THREAD, ...modules, compile };
    const transferList = compile?.port ? [collectorPort, compile.port] : [collectorPort];
    const run = pool.run(task, { signal, transferList });
    const worker = pool.threads.find((candidate) => !known.has(candidate));
    if (worker === undefined) throw new Error('Cannot start a thread: the pool has no place for it');
    thread.attach(worker);
    run.catch((error: unknown) => thread.onRunEnd(error));
  } catch (error) {
    threads.delete(order.lease);
    send({ type: 'exit', lease: order.lease, running: 0, failure: failureOf(error) });
  }
}

function schedule(ms: number): void {
  if (timer !== null) {
    if (ms !== WATCH_MS) return;
    clearTimeout(timer);
  }
  timer = setTimeout(tick, ms);
}

/** Rss that no thread's own numbers explain belongs to shared memory, blobs, native objects: to whoever runs. */
let explainedRss = process.memoryUsage.rss();

function tick(): void {
  timer = null;
  const now = performance.now();
  const isFull = now - lastFullSample >= (isActive ? ACTIVE_MS : IDLE_MS);
  if (isFull) lastFullSample = now;
  let isWatching = false;
  const rss = process.memoryUsage.rss();
  let heldBytes = 0;
  let busiest: SupervisedThread | null = null;
  let isStarting = false;
  for (const thread of threads.values()) {
    heldBytes += thread.committedBytes;
    if (thread.isWatched) {
      isWatching = true;
      // What a starting thread takes is its own runtime first of all; the cell's wall stands meanwhile.
      if (thread.running.current === 0) isStarting = true;
      else if (busiest === null || thread.recentCpuMs > busiest.recentCpuMs) busiest = thread;
    }
  }
  if (busiest === null || isStarting) explainedRss = rss - heldBytes;
  else {
    const unexplained = rss - heldBytes - explainedRss;
    if (unexplained > busiest.order.heapMaxBytes) breach(busiest, 'rss', unexplained, busiest.order.heapMaxBytes);
  }
  for (const thread of threads.values()) {
    if (thread.isWatched || isFull) void thread.sample();
  }
  if (isFull && threads.size > 0) {
    send({ type: 'sample', threads: Array.from(threads.values(), (thread) => thread.lastSample) });
  } else if (isWatching) {
    send({
      type: 'sample',
      threads: Array.from(threads.values())
        .filter((thread) => thread.isWatched)
        .map((thread) => thread.lastSample),
    });
  }
  schedule(isWatching ? WATCH_MS : isActive ? ACTIVE_MS : IDLE_MS);
}

function breach(thread: SupervisedThread, cause: 'heap' | 'rss' | 'cpu', value: number, max: number): void {
  if (thread.isEnding) return;
  send({ type: 'breach', lease: thread.order.lease, cause, value: Math.round(value), max });
  thread.end();
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
send({ type: 'booted' });
schedule(IDLE_MS);
