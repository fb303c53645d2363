import { type ContinuationStore, type StoreEntry, StoreUnavailableError } from './store.ts';

/** Less than a request has: its visitor is told that the store does not answer, and its thread lives. */
const ANSWER_MAX_MS = 6000;
/** What is not answered still holds its bytes: beyond so many, nothing more is asked. */
const UNANSWERED_MAX_COUNT = 64;

/**
 * A store that is waited for no longer than visitors can be: one whose machine stands still refuses nothing, and says
 * nothing. What it has been asked for may still be done later, as after any {@link StoreUnavailableError}.
 */
export class PatientStore implements ContinuationStore {
  readonly label: string;
  readonly #store: ContinuationStore;
  readonly #answerMaxMs: number;
  #unansweredCount = 0;

  constructor(store: ContinuationStore, { answerMaxMs = ANSWER_MAX_MS }: { answerMaxMs?: number } = {}) {
    this.label = store.label;
    this.#store = store;
    this.#answerMaxMs = answerMaxMs;
  }

  put(entry: StoreEntry): Promise<string> {
    return this.#within('keep a continuation', () => this.#store.put(entry));
  }

  get(servlet: string, key: string): Promise<Uint8Array | null> {
    return this.#within('find a continuation', () => this.#store.get(servlet, key));
  }

  tag(servlet: string, key: string): Promise<string> {
    return this.#within('find a continuation', () => this.#store.tag(servlet, key));
  }

  /** Nobody's visitor waits for it. */
  usage(servlet: string): Promise<number> {
    return this.#store.usage(servlet);
  }

  /** It may have much to do. */
  sweep(): Promise<number> {
    return this.#store.sweep();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #within<Result>(action: string, run: () => Promise<Result>): Promise<Result> {
    if (this.#unansweredCount >= UNANSWERED_MAX_COUNT)
      throw new StoreUnavailableError(action, new Error(`it has not answered ${this.#unansweredCount} times`));
    const answer = run();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#unansweredCount++;
      const answered = (): void => void this.#unansweredCount--;
      answer.then(answered, answered);
      late.reject(new StoreUnavailableError(action, new Error(`it has not answered for ${this.#answerMaxMs} ms`)));
    }, this.#answerMaxMs);
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
