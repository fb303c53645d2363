import { getHeapStatistics } from 'node:v8';
import { ask } from './asks.ts';

/** Memory of a thread, as it is charged. */
export interface HeldMemory {
  /** V8 heap in use. */
  heapBytes: number;
  /** Buffers and other memory outside of the heap that V8 knows of. */
  offHeapBytes: number;
  /** Cap on both together. */
  maxBytes: number;
}

/** What a servlet has cost, and what its present thread holds. */
export interface Account {
  thread: HeldMemory & { cpuMs: number };
  /** Of all its threads, since the host started. */
  servlet: {
    requests: number;
    failures: number;
    cpuMs: number;
    wallMs: number;
    bytesIn: number;
    bytesOut: number;
    peakBytes: number;
    /** Threads and cells that died. */
    deaths: number;
    /** What its guests had fetched for them, what of it failed, and the bytes of bodies that were sent and received. */
    fetches: number;
    fetchFailures: number;
    fetchBytesOut: number;
    fetchBytesIn: number;
  };
}

/** Gets what the thread holds when it is near its cap. */
export type PressureHandler = (memory: HeldMemory) => void;

/** From this share of its cap on a thread is under pressure; there its supervisor asks it to collect as well. */
const PRESSURE_SHARE = 0.7;

let maxBytes = Infinity;
const handlers = new Set<PressureHandler>();

/** The thread's cap is known. */
export function setAccountCap(bytes: number): void {
  maxBytes = bytes;
}

/** What the thread holds now, garbage included. */
export function heldMemory(): HeldMemory {
  const heap = getHeapStatistics();
  // The same sum as its supervisor makes.
  return { heapBytes: heap.used_heap_size, offHeapBytes: heap.external_memory + heap.malloced_memory, maxBytes };
}

/**
 * The servlet's account with its host: what its thread holds now, garbage included, and what all of it has cost.
 * @throws AskError outside of a host
 *
 * @example
 * ```ts
 * async function start() {
 *   const { thread } = await account();
 *   return html`<p>${thread.heapBytes + thread.offHeapBytes} of ${thread.maxBytes} bytes</p>`;
 * }
 * ```
 */
export async function account(): Promise<Account> {
  const answer = await ask('account', {});
  const cpu = process.threadCpuUsage();
  return {
    thread: { ...heldMemory(), cpuMs: (cpu.user + cpu.system) / 1000 },
    servlet: answer.json() as Account['servlet'],
  };
}

/**
 * Calls `handler` when the thread holds more than 70 % of its cap after its garbage was collected: the time to let a
 * cache shrink. It runs between other things, must not take long, and comes too late for what grows within one turn.
 * @returns what ends it
 *
 * @example
 * ```ts
 * function keep(cache: Map<string, string>) {
 *   return onPressure(() => cache.clear());
 * }
 * ```
 */
export function onPressure(handler: PressureHandler): () => void {
  handlers.add(handler);
  return () => void handlers.delete(handler);
}

/** Does the thread hold so much that handlers are to be called, unless it is garbage? */
export function isUnderPressure(): boolean {
  return pressingMemory() !== null;
}

/** null: no handler is to hear of it. */
function pressingMemory(): HeldMemory | null {
  if (handlers.size === 0) return null;
  const memory = heldMemory();
  return memory.heapBytes + memory.offHeapBytes > memory.maxBytes * PRESSURE_SHARE ? memory : null;
}

/** After a collection of all garbage: has the handlers called if it has not helped. Returns whether there is new garbage. */
export function relievePressure(): boolean {
  const memory = pressingMemory();
  if (memory === null) return false;
  for (const handler of handlers) {
    try {
      handler(memory);
    } catch (error) {
      // Nobody waits for it, and the next handler is owed its call.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
  return true;
}
