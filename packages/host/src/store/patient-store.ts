import { Shares } from '../service/shares.ts';
import { TurnsOfEach } from '../service/turns.ts';
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
/** A store that owes a servlet so many answers for longer than that is not waited for by more of its visitors. */
const LATE_MAX_COUNT = 64;
/**
 * So many entries are on their way from the store to one servlet: each may be MBs, which nobody has counted before they are here.
 * When all of them are late, more can't be asked for.
 */
const FINDING_MAX_COUNT = 8;
const FIND = 'find a continuation';

/** One kind of what is asked of a store. */
interface Kind {
  shares: Shares;
  /** null: all are asked at once. */
  turns: TurnsOfEach | null;
  /** By servlet's name: how many are answered late, if ever. */
  late: Map<string, number>;
  lateMaxCount: number;
}

/**
 * A store that is waited for no longer than visitors can be: one whose machine stands still refuses nothing, and says
 * nothing. What it has been asked for may still be done later, as after any {@link StoreUnavailableError}. Until it is, it
 * counts as under way, of which each servlet may have so much: it is held here. From so many that are late on, nothing more
 * is asked of it for that servlet. Entries that are found wait for a turn before they are asked for, no longer than for the
 * store; it is not late with what it has not been asked for. What is kept, found and compared is counted apart, since one of
 * the three may hang alone.
 */
export class PatientStore implements ContinuationStore {
  readonly label: string;
  readonly #store: ContinuationStore;
  readonly #answerMaxMs: number;
  readonly #puts: Kind;
  readonly #finds: Kind;
  readonly #tags: Kind;

  constructor(
    store: ContinuationStore,
    { answerMaxMs = ANSWER_MAX_MS, maxCount = UNDER_WAY_MAX_COUNT }: { answerMaxMs?: number; maxCount?: number } = {},
  ) {
    this.label = store.label;
    this.#store = store;
    this.#answerMaxMs = answerMaxMs;
    const asked = { turns: null, lateMaxCount: LATE_MAX_COUNT };
    this.#puts = { ...asked, shares: new Shares(maxCount, UNDER_WAY_MAX_BYTES), late: new Map() };
    this.#tags = { ...asked, shares: new Shares(maxCount, 0), late: new Map() };
    this.#finds = {
      shares: new Shares(maxCount, 0),
      turns: new TurnsOfEach(FINDING_MAX_COUNT),
      late: new Map(),
      lateMaxCount: FINDING_MAX_COUNT,
    };
  }

  put(entry: StoreEntry): Promise<string> {
    const asked = { kind: this.#puts, servlet: entry.servlet, bytes: entry.bytes.length };
    return this.#within('keep a continuation', asked, () => this.#store.put(entry));
  }

  get(servlet: string, key: string): Promise<Uint8Array | null> {
    return this.#within(FIND, { kind: this.#finds, servlet, bytes: 0 }, () => this.#store.get(servlet, key));
  }

  tag(servlet: string, key: string): Promise<string> {
    return this.#within(FIND, { kind: this.#tags, servlet, bytes: 0 }, () => this.#store.tag(servlet, key));
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

  async #within<Result>(
    action: string,
    { kind: { shares, turns, late, lateMaxCount }, servlet, bytes }: { kind: Kind; servlet: string; bytes: number },
    run: () => Promise<Result>,
  ): Promise<Result> {
    if ((late.get(servlet) ?? 0) >= lateMaxCount)
      throw new StoreUnavailableError(action, new Error(`it owes the servlet ${lateMaxCount} answers and more`));
    const share = shares.open(servlet);
    if (share === null) throw tooMuchUnderWay(action);
    if (!share.take(bytes)) {
      share.close();
      throw tooMuchUnderWay(action);
    }
    const waiting = new AbortController();
    const patience = Promise.withResolvers<never>();
    const onNoTurn = (): void =>
      waiting.abort(new StoreUnavailableError(action, new Error('too many of the servlet are on their way')));
    const onLate = (): void => {
      countUp(late, servlet, 1);
      const onAnswer = (): void => countUp(late, servlet, -1);
      answer.then(onAnswer, onAnswer);
      patience.reject(new StoreUnavailableError(action, new Error(`it has not answered for ${this.#answerMaxMs} ms`)));
    };
    let onTime = onNoTurn;
    const timer = setTimeout(() => onTime(), this.#answerMaxMs);
    const ask = async (): Promise<Result> => {
      onTime = onLate;
      timer.refresh();
      return run();
    };
    // A turn lasts until the store has answered, also when nobody waits for that any more.
    const answer = turns === null ? ask() : turns.with(servlet, ask, waiting.signal);
    answer.then(share.close, share.close);
    try {
      return await Promise.race([answer, patience.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function countUp(counts: Map<string, number>, name: string, by: 1 | -1): void {
  const count = (counts.get(name) ?? 0) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
