import { checkPositive, type ContinuationManager, type ManagerOptions } from './manager.ts';
import type { Entry, Instance } from './table.ts';
import { TableManager } from './table-manager.ts';

export interface TimeoutManagerOptions extends ManagerOptions {
  /** How long an instance lives after its last visit. */
  instanceTimeoutMs: number;
  /** How long a continuation lives after it was made, or after its last visit. */
  continuationTimeoutMs: number;
}

const SWEEP_MIN_MS = 50;
const SWEEP_MAX_MS = 5000;

class TimeoutManager extends TableManager {
  readonly #instanceTimeoutMs: number;
  readonly #continuationTimeoutMs: number;

  constructor(options: TimeoutManagerOptions) {
    super(options);
    this.#instanceTimeoutMs = options.instanceTimeoutMs;
    this.#continuationTimeoutMs = options.continuationTimeoutMs;
  }

  protected override ticks(): [everyMs: number, tick: () => void][] {
    const sweepMs = Math.min(this.#instanceTimeoutMs, this.#continuationTimeoutMs) / 4;
    return [[Math.min(SWEEP_MAX_MS, Math.max(SWEEP_MIN_MS, sweepMs)), () => this.#sweep()]];
  }

  override adjustTimeout(instance: number, timeoutMs: number): void {
    const found = this.table.instances.get(instance);
    if (found === undefined) return;
    found.timeoutMs = timeoutMs;
    found.mark = this.clock.now() + timeoutMs;
  }

  protected override onInstance(instance: Instance): void {
    instance.timeoutMs = this.#instanceTimeoutMs;
    instance.mark = this.clock.now() + instance.timeoutMs;
  }

  protected override markToSave(mark: number): number {
    return mark - this.clock.now();
  }

  protected override savedMark(mark: number, elapsedMs: number): number {
    return this.clock.now() + mark - elapsedMs;
  }

  protected override onStore(entry: Entry): void {
    this.onVisit(entry);
  }

  protected override onVisit(entry: Entry): void {
    const now = this.clock.now();
    entry.mark = now + this.#continuationTimeoutMs;
    entry.instance.mark = now + entry.instance.timeoutMs;
  }

  protected override isExpired(entry: Entry): boolean {
    const now = this.clock.now();
    return entry.mark <= now || entry.instance.mark <= now;
  }

  #sweep(): void {
    const now = this.clock.now();
    this.table.remove([...this.table.entries()].filter((entry) => this.isExpired(entry)));
    for (const instance of this.table.instances.values()) {
      if (instance.mark <= now || instance.isOver) this.table.drop(instance);
    }
  }
}

/**
 * Continuations and instances expire when nobody has visited them for so long. A visit starts the time anew.
 * @see Racket `create-timeout-manager`
 *
 * @example
 * ```ts
 * const manager = createTimeoutManager({ instanceTimeoutMs: 3_600_000, continuationTimeoutMs: 600_000 });
 * ```
 */
export function createTimeoutManager(options: TimeoutManagerOptions): ContinuationManager {
  const { instanceTimeoutMs, continuationTimeoutMs } = options;
  checkPositive({ instanceTimeoutMs: Number(instanceTimeoutMs), continuationTimeoutMs: Number(continuationTimeoutMs) });
  return new TimeoutManager(options);
}
