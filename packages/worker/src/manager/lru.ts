import { checkPositive, type ContinuationManager, type ManagerOptions } from './manager.ts';
import type { Entry } from './table.ts';
import { TableManager } from './table-manager.ts';

export interface LruManagerOptions extends ManagerOptions {
  /** How often to look whether memory is short. Default 5 s. */
  checkIntervalMs?: number;
  /** How often every continuation loses a life, however much memory there is. Default 10 minutes. */
  collectIntervalMs?: number;
  /** Lives of a continuation. A visit gives it all of them back. Default 24. */
  lives?: number;
  /** Is memory short? Then every check costs a life. Default: never. */
  isShort?: () => boolean;
  /** Told after each collection how many continuations it has removed. */
  onCollected?: (removed: number) => void;
}

const CHECK_INTERVAL_MS = 5000;
const COLLECT_INTERVAL_MS = 600_000;
const LIVES = 24;

/** Life points: collections take them, visits give them back. */
export class LruManager extends TableManager {
  readonly #checkIntervalMs: number;
  readonly #collectIntervalMs: number;
  readonly #lives: number;
  readonly #onCollected: ((removed: number) => void) | undefined;

  /** @throws RangeError for times and lives that are none */
  constructor(options: LruManagerOptions) {
    const { checkIntervalMs = CHECK_INTERVAL_MS, collectIntervalMs = COLLECT_INTERVAL_MS, lives = LIVES } = options;
    checkPositive({ checkIntervalMs, collectIntervalMs });
    if (!Number.isInteger(lives) || lives < 0)
      throw new RangeError('Cannot create a manager: lives is not a whole number from 0 on');
    super(options);
    this.#checkIntervalMs = checkIntervalMs;
    this.#collectIntervalMs = collectIntervalMs;
    this.#lives = lives;
    this.#onCollected = options.onCollected;
    if (options.isShort !== undefined) this.isShort = options.isShort;
  }

  protected override ticks(): [everyMs: number, tick: () => void][] {
    return [
      [this.#checkIntervalMs, () => this.isShort() && this.#collect()],
      [this.#collectIntervalMs, () => this.#collect()],
    ];
  }

  protected isShort(): boolean {
    return false;
  }

  protected override onStore(entry: Entry): void {
    entry.mark = this.#lives;
  }

  protected override onVisit(entry: Entry): void {
    entry.mark = this.#lives;
  }

  protected override isExpired(): boolean {
    return false;
  }

  /** Takes a life from everyone; who had none left goes, and so do instances that have nothing. */
  #collect(): void {
    const gone: Entry[] = [];
    for (const entry of this.table.entries()) if (--entry.mark < 0) gone.push(entry);
    this.table.remove(gone);
    // A run whose instance has gone gets another with its next page.
    for (const instance of this.table.instances.values()) if (instance.count === 0) this.table.drop(instance);
    this.#onCollected?.(gone.length);
  }
}

/**
 * @see Racket `create-LRU-manager`
 *
 * @example
 * ```ts
 * const manager = createLruManager({ lives: 12, collectIntervalMs: 300_000 });
 * ```
 */
export function createLruManager(options: LruManagerOptions = {}): ContinuationManager {
  return new LruManager(options);
}
