import { statSync } from 'node:fs';
import type { Failure } from '@custodian/protocol';

const FIRST_WAIT_MS = 500;
const WAIT_MAX_MS = 30_000;
/** What nobody here has killed may have killed itself, or be killed by the system for what it takes: after so many in a row it is believed. */
const FORCED_MAX_COUNT = 2;

/**
 * Where a servlet sits that dies before it has answered anything: it is not started again before a time that doubles
 * with each failure, unless its file has changed.
 */
export class Bench {
  readonly #file: string;
  #failures = 0;
  #forcedEnds = 0;
  #until = 0;
  #version = '';
  lastFailure: Failure = { name: 'Error', message: '' };

  constructor(file: string) {
    this.#file = file;
  }

  get isBenched(): boolean {
    return this.#failures > 0;
  }

  /** What it failed with last; `null` when it did not. */
  get lastError(): string | null {
    return this.isBenched ? `${this.lastFailure.name}: ${this.lastFailure.message}` : null;
  }

  /** ms until the next try. */
  get waitMs(): number {
    return Math.max(0, this.#until - performance.now());
  }

  mayTryAgain(): boolean {
    return this.waitMs === 0 || versionOf(this.#file) !== this.#version;
  }

  /** It was ended from outside while it started, for all that is known: that says little about it, unless it happens again and again. */
  onForcedEnd(failure: Failure): void {
    if (++this.#forcedEnds > FORCED_MAX_COUNT) this.onFailedStart(failure);
  }

  onFailedStart(failure: Failure): void {
    this.lastFailure = failure;
    this.#version = versionOf(this.#file);
    this.#until = performance.now() + Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** this.#failures++);
  }

  onLoaded(): void {
    this.#failures = 0;
    this.#forcedEnds = 0;
    this.#until = 0;
  }
}

function versionOf(file: string): string {
  try {
    const stat = statSync(file);
    return `${stat.mtimeMs} ${stat.size}`;
  } catch {
    return 'none';
  }
}
