import { ENTRY_TAG_BYTES, placeOfHome, ProtocolError } from '@custodian/protocol';
import { type Answer, type Ask, type Service, ServiceError } from '../service/service.ts';
import { KeptBodies, LIFETIME_MAX_MS } from '../store/store-service.ts';
import { type ContinuationStore, keyOfName, StoreConflictError } from '../store/store.ts';

const TAG = new RegExp(`^[\\w-]{${ENTRY_TAG_BYTES}}$`);
const TAGS_MAX_COUNT = 16;

/**
 * Lets threads save instances and make them again. `{ save: home, lifetimeMs, replaces }` with the bytes as a body is
 * answered once they are safe; `{ revive: true }` with the bytes of the instance that the request's own URL leads to, which
 * is the thread's from then on; `{ read: home }` with those of one that is, `{ look: home }` with `{ tag }` alone; `{ release: home }`
 * when it is not any more. A thread saves what is its own, and learns nothing of what nobody has asked it for.
 *
 * The bytes begin with a tag; the rest is sealed by the threads, and here nobody looks into it. `replaces` names the tags
 * in whose place it may be kept: when another host has saved the instance since, it is refused (`STORE_CONFLICT`). A tag alone
 * says that the instance is over.
 */
export class CheckpointService implements Service {
  readonly name = 'checkpoint';
  readonly #store: ContinuationStore;
  readonly #onKept: () => void;
  readonly #bodies = new KeptBodies();
  /** What is under way for an instance: what is asked later comes later, whatever the store does. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /** `onKept`: is told when there is something in the store. */
  constructor(store: ContinuationStore, onKept: () => void) {
    this.#store = store;
    this.#onKept = onKept;
  }

  answer(ask: Ask): Promise<Answer> {
    const { save, read, look, release, revive, lifetimeMs, replaces } = ask.json();
    if (revive === true) return this.#revive(ask);
    if (typeof look === 'string') return this.#look(ask, look);
    if (typeof read === 'string') return this.#read(ask, read);
    if (typeof release === 'string') return this.#release(ask, release);
    if (typeof save === 'string' && isLifetime(lifetimeMs) && areTags(replaces))
      return this.#save(ask, save, lifetimeMs, replaces);
    throw new ProtocolError('Cannot read an ask for a checkpoint: it is neither save, read, look, release nor revive');
  }

  async #save(ask: Ask, home: string, lifetimeMs: number, replaces: readonly string[]): Promise<Answer> {
    checkOwn(ask, home);
    return this.#bodies.with(ask, (bytes, quotaBytes) =>
      this.#inTurn(ask, home, async () => {
        const expiresAt = Date.now() + lifetimeMs;
        await this.#store.put({ servlet: ask.servlet.name, name: home, bytes, replaces, expiresAt, quotaBytes });
        this.#onKept();
        return {};
      }),
    );
  }

  async #read(ask: Ask, home: string): Promise<Answer> {
    checkOwn(ask, home);
    const bytes = await this.#inTurn(ask, home, () => this.#store.get(ask.servlet.name, keyOfName(home)));
    if (bytes === null) throw missing(false);
    return { body: bytes };
  }

  async #look(ask: Ask, home: string): Promise<Answer> {
    checkOwn(ask, home);
    const tag = await this.#inTurn(ask, home, () => this.#store.tag(ask.servlet.name, keyOfName(home)));
    return { head: { tag } };
  }

  async #revive(ask: Ask): Promise<Answer> {
    const home = ask.exchange?.home ?? null;
    if (home === null) throw missing(false);
    const bytes = await this.#inTurn(ask, home, () => this.#store.get(ask.servlet.name, keyOfName(home)));
    if (bytes === null || ask.signal.aborted) throw missing(ask.holder.isLost(home));
    if (bytes.length <= ENTRY_TAG_BYTES) throw missing(false);
    // Another thread has it by now. Who is asked again asks that one.
    if (!ask.holder.adopt(home)) throw new StoreConflictError(ask.servlet.name);
    return { body: bytes };
  }

  async #release({ holder }: Ask, home: string): Promise<Answer> {
    holder.release(home);
    return {};
  }

  async #inTurn<Result>(ask: Ask, home: string, run: () => Promise<Result>): Promise<Result> {
    const name = `${ask.servlet.name}\0${home}`;
    const before = this.#turns.get(name);
    const turn = before === undefined ? run() : before.then(run, run);
    this.#turns.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(name) === turn) this.#turns.delete(name);
    }
  }
}

function isLifetime(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= LIFETIME_MAX_MS;
}

function areTags(value: unknown): value is string[] {
  const isTag = (each: unknown): boolean => each === '' || (typeof each === 'string' && TAG.test(each));
  return Array.isArray(value) && value.length <= TAGS_MAX_COUNT && value.every(isTag);
}

/** @throws ProtocolError: no thread's runtime saves what it does not have */
function checkOwn({ holder }: Ask, home: string): void {
  if (placeOfHome(home) === null || !holder.holds(home))
    throw new ProtocolError('Cannot read an ask for a checkpoint: the instance is not this thread’s');
}

/** `isLost`: a thread has died that had more of it than was saved. */
function missing(isLost: boolean): ServiceError {
  return isLost
    ? new ServiceError(
        'CHECKPOINT_LOST',
        'Cannot make an instance again: its thread has died, and nothing of it was saved',
      )
    : new ServiceError('CHECKPOINT_MISSING', 'Cannot make an instance again: it has expired, made room, or never was');
}
