import { mkdirSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { removeTree } from '../remove-tree.ts';
import type { SupervisedThread } from './supervised-thread.ts';
import { newTask, taskNumbers } from './task-stat.ts';

/**
 * Starts a thread of the pool for a lease. `openModules` makes the port at which it finds its servlet's modules.
 * @throws what kept it from starting; then its ports are closed, its temporary directory goes, and nothing of it waits in the pool
 */
export function startIn(pool: Piscina, thread: SupervisedThread, openModules: () => MessagePort): void {
  const { order, memory, collectorPort, collectorMemory, signal } = thread;
  let modules: MessagePort | null = null;
  try {
    if (order.guest !== null) mkdirSync(order.guest.tempDir, { recursive: true });
    modules = openModules();
    const known = new Set(pool.threads);
    const task = { order, memory, collectorPort, collectorMemory, modules };
    const tasks = taskNumbers();
    const run = pool.run(task, { signal, transferList: [collectorPort, modules] });
    run.catch((error: unknown) => thread.onRunEnd(error));
    const worker = pool.threads.find((candidate) => !known.has(candidate));
    if (worker === undefined) throw new Error('Cannot start a thread: the pool has no place for it');
    thread.attach(worker, newTask(tasks));
  } catch (error) {
    thread.giveUp();
    modules?.close();
    if (order.guest !== null) void removeTree(order.guest.tempDir).catch(() => {});
    throw error;
  }
}
