import { availableParallelism } from 'node:os';
import type { Usage } from '@custodian/protocol';

/** Before so many answers nobody knows whether a servlet is quick. */
const KNOWN_FROM_COUNT = 8;
/** Each answer moves the estimate by so much: up and down balance when one of five is slower than it. */
const STEP_UP = 1.4,
  STEP_DOWN = 0.92;
/** Answers are no quicker than this, or the estimate could not rise again. */
const MIN_MS = 0.02;
/** The mean share of its time that a servlet computes in is one of about so many last answers. */
const SHARE_OF_COUNT = 32;
const COMPUTING_SHARE = 0.5;

/**
 * How long a servlet's requests take in their threads. It follows a quantile and not the mean: one collection of
 * garbage, or a machine that is busy for a moment, must not make a quick servlet look slow.
 */
export class Pace {
  #count = 0;
  #typicalMs = 0;
  #computingShare = 0;

  get isKnown(): boolean {
    return this.#count >= KNOWN_FROM_COUNT;
  }

  /** Four of five requests take less, in ms. */
  get typicalMs(): number {
    return this.#typicalMs;
  }

  /** So many threads of it, busy at once, leave no core idle: one more would only slow down the others. */
  get usefulThreads(): number {
    return this.isKnown && this.#computingShare >= COMPUTING_SHARE ? availableParallelism() : Infinity;
  }

  add({ cpuMicros, wallMicros }: Usage): void {
    this.#count++;
    const wallMs = Math.max(MIN_MS, wallMicros / 1000);
    if (this.#count < KNOWN_FROM_COUNT) this.#typicalMs = Math.max(this.#typicalMs, wallMs);
    else this.#typicalMs *= wallMs > this.#typicalMs ? STEP_UP : STEP_DOWN;
    const share = Math.min(1, cpuMicros / 1000 / wallMs);
    this.#computingShare += (share - this.#computingShare) / Math.min(this.#count, SHARE_OF_COUNT);
  }
}
