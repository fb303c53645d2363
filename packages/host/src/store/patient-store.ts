import { Shares } from '../service/shares.ts';
import {
  type ContinuationStore,
  type StoreEntry,
  StoreUnavailableError,
  tooMuchUnderWay,
  UNDER_WAY_MAX_BYTES,
  UNDER_WAY_MAX_COUNT,
} from './store.ts';

/** Less than a request has: its visitor is told that the store does not answer, and its thread lives. */
const ANSWER_MAX_MS = 6000;

/**
 * A store that is waited for no longer than visitors can be: one whose machine stands still refuses nothing, and says
 * nothing. What it has been asked for may still be done later, as after any {@link StoreUnavailableError}. Until it is, it
 * counts as under way, of which each servlet may have so much: it is held here. What is kept and what is found are counted
 * apart, since one of the two may hang alone.
 */
export class PatientStore implements ContinuationStore {
  readonly label: string;
  readonly #store: ContinuationStore;
  readonly #answerMaxMs: number;
  readonly #puts: Shares;
  readonly #finds: Shares;

  constructor(
    store: ContinuationStore,
    { answerMaxMs = ANSWER_MAX_MS, maxCount = UNDER_WAY_MAX_COUNT }: { answerMaxMs?: number; maxCount?: number } = {},
  ) {
    this.label = store.label;
    this.#store = store;
    this.#answerMaxMs = answerMaxMs;
    this.#puts = new Shares(maxCount, UNDER_WAY_MAX_BYTES);
    this.#finds = new Shares(maxCount, 0);
  }

  put(entry: StoreEntry): Promise<string> {
    const asked = { shares: this.#puts, servlet: entry.servlet, bytes: entry.bytes.length };
    return this.#within('keep a continuation', asked, () => this.#store.put(entry));
  }

  get(servlet: string, key: string): Promise<Uint8Array | null> {
    return this.#find(servlet, () => this.#store.get(servlet, key));
  }

  tag(servlet: string, key: string): Promise<string> {
    return this.#find(servlet, () => this.#store.tag(servlet, key));
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

  #find<Result>(servlet: string, run: () => Promise<Result>): Promise<Result> {
    return this.#within('find a continuation', { shares: this.#finds, servlet, bytes: 0 }, run);
  }

  async #within<Result>(
    action: string,
    { shares, servlet, bytes }: { shares: Shares; servlet: string; bytes: number },
    run: () => Promise<Result>,
  ): Promise<Result> {
    const share = shares.open(servlet);
    if (share === null) throw tooMuchUnderWay(action);
    if (!share.take(bytes)) {
      share.close();
      throw tooMuchUnderWay(action);
    }
    const answer = run();
    answer.then(share.close, share.close);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        late.reject(new StoreUnavailableError(action, new Error(`it has not answered for ${this.#answerMaxMs} ms`))),
      this.#answerMaxMs,
    );
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
