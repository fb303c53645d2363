import type { MessagePort } from 'node:worker_threads';
import { relievePressure } from './account.ts';

type Collect = (options?: { type: 'minor' | 'major'; execution: 'sync' }) => void;

/** So many bytes of bodies may become garbage before the young generation is swept. */
const MOVED_MAX_BYTES = 16 << 20;

/**
 * Garbage counts as held until it is collected, and V8 lets 64 MB of buffers pile up before it looks. A thread near
 * its cap therefore collects when its supervisor asks, and after so much of bodies has passed through it.
 */
export class Collector {
  readonly #collect: Collect;
  #movedBytes = 0;

  /** `port`: the supervisor asks there, and waits for the echo. */
  constructor(collect: Collect, port: MessagePort) {
    this.#collect = collect;
    port.on('message', (question: number) => {
      this.#collect({ type: 'major', execution: 'sync' });
      if (relievePressure()) this.#collect({ type: 'major', execution: 'sync' });
      port.postMessage(question);
    });
    port.unref();
  }

  /** A piece of a body has passed. */
  moved(bytes: number): void {
    this.#movedBytes += bytes;
    if (this.#movedBytes < MOVED_MAX_BYTES) return;
    this.#movedBytes = 0;
    this.#collect({ type: 'minor', execution: 'sync' });
  }
}

/** V8's `gc` (flag --expose-gc of the cell). It can't be deleted; a servlet that calls it only spends its own time. */
export function collectFunction(): Collect {
  return (globalThis as { gc?: Collect }).gc ?? (() => {});
}
