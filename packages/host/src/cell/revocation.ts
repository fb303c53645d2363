/**
 * What is asked back from a thread that takes its time. Its supervisor closes its intake, and says what it was at; what stands behind
 * that moves to other threads. The thread is used again when it has given back all that was moved, and its intake is open again. Each
 * time is a round, so that a late answer counts for nothing.
 */
export class Revocation {
  /** Requests that were given to others; the thread gives each of them back when it wakes up. */
  readonly moved: Set<number> = new Set();
  #state: 'none' | 'asked' | 'revoked' | 'restoring' = 'none';
  #round = 0;

  /** Its intake is open, and nobody has asked for anything. */
  get isNone(): boolean {
    return this.#state === 'none';
  }

  /** @returns the round that is to be answered */
  ask(): number {
    this.#state = 'asked';
    return ++this.#round;
  }

  /** The intake is closed. @returns false for the answer of another round */
  onRevoked(round: number): boolean {
    if (this.#state !== 'asked' || round !== this.#round) return false;
    this.#state = 'revoked';
    return true;
  }

  /** The intake may be opened when nothing that was moved is still there. @returns the round to name; null: not yet */
  restore(): number | null {
    if (this.#state !== 'revoked' || this.moved.size > 0) return null;
    this.#state = 'restoring';
    return this.#round;
  }

  /** The intake is open. @returns false for the answer of another round */
  onRestored(round: number): boolean {
    if (this.#state !== 'restoring' || round !== this.#round) return false;
    this.#state = 'none';
    return true;
  }
}
