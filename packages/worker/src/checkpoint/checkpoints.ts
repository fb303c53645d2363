import { type ContinuationToken, homeOf } from '@custodian/protocol';
import { UnserializableError } from '../continuation/serialize/errors.ts';
import { NoInstanceError, type SavedEntry, type SavedInstance, type SavingManager } from '../manager/manager.ts';
import { isSameNonce } from '../manager/nonce.ts';
import { crypto } from '../node-crypto.ts';
import type { InstanceAddress } from '../servlet/context.ts';
import { ServerValue } from '../servlet/server-ref.ts';
import { asBuffer } from '../stuffer/bytes.ts';
import { type Seal, StateTooLargeError } from '../stuffer/seal.ts';
import {
  type Kept,
  lookForCheckpoint,
  putCheckpoint,
  readCheckpoint,
  releaseCheckpoint,
  takeCheckpoint,
} from './checkpoint-store.ts';
import { decodePages, encodePages, unserializable } from './pages.ts';
import { type CheckpointHead, readRecord, writeRecord } from './record.ts';
import { Saved } from './saved.ts';

/** What is the same as before is written again after this part of its lifetime. */
const RENEWALS = 64;
/** Instances that the manager has given up are looked for when there are so many more than it has. */
const SLACK_COUNT = 64;
/** How long it is remembered that an instance is over which nobody else has had. */
const OVER_MS = 60_000;

/** An instance was answered from what somebody else has replaced meanwhile: the answer is not to be shown. */
export class SupersededError extends Error {
  override readonly name = 'SupersededError';
  readonly code = 'STORE_CONFLICT';
  constructor() {
    super('Cannot save an instance: it has gone on elsewhere since it was made here');
  }
}

export interface CheckpointOptions {
  manager: SavingManager;
  /** Where the thread stands: instances that are born here are named by it. */
  place: string;
  seal: Seal;
  lifetimeMs: number;
}

/** Saves the instances of a thread, each as a whole, and makes those again that another thread has saved. */
export class Checkpoints {
  /** Called when {@link unsavedCount} may have changed. */
  onChange: () => void = () => {};
  readonly #manager: SavingManager;
  readonly #place: string;
  readonly #seal: Seal;
  readonly #lifetimeMs: number;
  /** By their number in the manager. */
  readonly #saved = new Map<number, Saved>();
  /** Instances that were born elsewhere: their numbers here. */
  readonly #revived = new Map<string, number>();
  readonly #reviving = new Map<string, Promise<void>>();

  constructor({ manager, place, seal, lifetimeMs }: CheckpointOptions) {
    this.#manager = manager;
    this.#place = place;
    this.#seal = seal;
    this.#lifetimeMs = lifetimeMs;
  }

  /** Instances of which something would be lost with the thread. */
  get unsavedCount(): number {
    let count = 0;
    for (const [instance, { hasUnsaved }] of this.#saved) if (hasUnsaved && this.#has(instance)) count++;
    return count;
  }

  addressOf(instance: number): InstanceAddress {
    return this.#saved.get(instance)?.address ?? { place: this.#place, instance };
  }

  /** The number of an instance in the manager; null: it is not here. */
  instanceOf(address: InstanceAddress): number | null {
    const revived = this.#revived.get(homeOf(address));
    if (revived !== undefined) return this.#has(revived) ? revived : null;
    if (address.place !== this.#place || !this.#has(address.instance)) return null;
    // Numbers are given to all instances here; one that was born elsewhere answers to its own name only.
    return this.addressOf(address.instance).place === this.#place ? address.instance : null;
  }

  /** Why the page that a URL leads to could not be saved; null: it is no such page. */
  lossOf(token: ContinuationToken): string | null {
    const instance = this.instanceOf(token);
    const loss = instance === null ? undefined : this.#saved.get(instance)?.losses.get(token.continuation);
    return loss !== undefined && isSameNonce(token.nonce, loss.nonce) ? loss.why : null;
  }

  /** Saves an instance as it is now. Resolves when it is safe. @throws SupersededError, and AskError `STORE_UNAVAILABLE` */
  save(instance: number): Promise<void> {
    const saved = this.#savedFor(instance);
    const turn = saved.turn.then(async () => {
      try {
        await this.#write(instance, saved);
      } catch (error) {
        if ((error as { code?: unknown }).code === 'STORE_CONFLICT') throw this.#supersede(instance, saved);
        saved.hasUnsaved = true;
        throw error;
      } finally {
        this.onChange();
      }
    });
    saved.turn = turn.catch(() => {});
    return turn;
  }

  /**
   * Makes the instance of a URL again, if it was saved, and is not here or not as it was saved last. So an answer begins on what the
   * last one left, wherever that was given, and one that changes nothing need not be compared with anything when it ends.
   * @throws CodeChangedError, DecodeError, SealError, and AskError `STORE_UNAVAILABLE`, `STORE_CONFLICT`, `CHECKPOINT_LOST`
   */
  async revive(token: ContinuationToken): Promise<void> {
    const home = homeOf(token);
    for (;;) {
      const instance = this.instanceOf(token);
      if (instance !== null && (await this.#isNewest(instance))) return;
      const underWay = this.#reviving.get(home);
      if (underWay === undefined) break;
      // It may fail for a reason of that request's own.
      await underWay.catch(() => {});
    }
    const reviving = this.#revive(token, home).finally(() => this.#reviving.delete(home));
    this.#reviving.set(home, reviving);
    await reviving;
  }

  async #revive({ place, instance: number }: ContinuationToken, home: string): Promise<void> {
    const kept = await takeCheckpoint();
    if (kept === null) return;
    let head: CheckpointHead, entries: SavedEntry[];
    try {
      const record = this.#open(kept, home);
      ({ head } = record);
      entries = decodePages(record.graph, head.pages);
    } catch (error) {
      await releaseCheckpoint(home);
      throw error;
    }
    const instance = this.#manager.revive({ ...head, entries }, Math.max(0, Date.now() - head.savedAt));
    this.#prune();
    this.#saved.set(instance, new Saved({ place, instance: number }, { tag: kept.tag, head }));
    this.#revived.set(home, instance);
  }

  #has(instance: number): boolean {
    return this.#manager.hasInstance(instance) && this.#saved.get(instance)?.isSuperseded !== true;
  }

  /** Is it as it was saved last? The visit may have gone on at another host. */
  async #isNewest(instance: number): Promise<boolean> {
    const saved = this.#saved.get(instance);
    if (saved === undefined) return true;
    await saved.turn;
    if (saved.isSuperseded) return false;
    if (saved.isUnheard || saved.isOwn(await lookForCheckpoint(saved.home))) return true;
    this.#supersede(instance, saved);
    return false;
  }

  /** Somebody else has saved it: whoever comes for it next gets what that was. */
  #supersede(instance: number, saved: Saved): SupersededError {
    saved.isSuperseded = true;
    saved.hasUnsaved = false;
    if (this.#revived.get(saved.home) === instance) this.#revived.delete(saved.home);
    this.#manager.clear(instance);
    return new SupersededError();
  }

  #savedFor(instance: number): Saved {
    let saved = this.#saved.get(instance);
    if (saved === undefined) {
      this.#prune();
      this.#saved.set(instance, (saved = new Saved({ place: this.#place, instance })));
    }
    return saved;
  }

  #prune(): void {
    if (this.#saved.size <= this.#manager.count + SLACK_COUNT) return;
    for (const [instance, { home }] of this.#saved) {
      if (this.#manager.hasInstance(instance)) continue;
      this.#saved.delete(instance);
      // It may have been made again since, under another number, or is about to be.
      if (this.#revived.get(home) !== instance || this.#reviving.has(home)) continue;
      this.#revived.delete(home);
      // Who keeps it here is to forget it as well. When it can't be told, the thread is ending.
      releaseCheckpoint(home).catch(() => {});
    }
  }

  async #write(instance: number, saved: Saved): Promise<void> {
    if (saved.isSuperseded) throw new SupersededError();
    const state = this.#stateOf(instance);
    if (state === null) return;
    const pages = state.entries.filter(({ k }) => !(k instanceof ServerValue));
    if (pages.length === 0 && state.entries.length === 0) return this.#forget(saved);
    const written = this.#encode(pages, saved);
    try {
      await (written === null ? this.#putLosses(saved) : this.#put(saved, state, written));
    } catch (error) {
      const isTooLarge =
        error instanceof StateTooLargeError || (error as { code?: unknown }).code === 'STORE_TOO_LARGE';
      if (!isTooLarge || written === null) throw error;
      lose(saved, pages, (error as Error).message);
      await this.#putLosses(saved);
    }
    // Losses of threads before are lost already.
    const isLosable = pages.some(({ id }) => saved.losses.has(id));
    saved.hasUnsaved = written === null || isLosable || pages.length < state.entries.length;
  }

  /** null: the manager has given it up. */
  #stateOf(instance: number): SavedInstance | null {
    try {
      return this.#manager.save(instance);
    } catch (error) {
      if (error instanceof NoInstanceError) return null;
      throw error;
    }
  }

  /**
   * What can be written of the pages; null: not what could be before, so that the checkpoint stands as it is. What
   * can't is in the losses then.
   */
  #encode(pages: readonly SavedEntry[], saved: Saved): { pages: readonly SavedEntry[]; graph: Uint8Array } | null {
    const able = pages.filter(({ id }) => !saved.losses.has(id));
    try {
      return { pages: able, graph: encodePages(able) };
    } catch (error) {
      if (!(error instanceof UnserializableError)) throw error;
      const failing = unserializable(able);
      if (able.some(({ id }) => failing.has(id) && saved.pages.has(id))) {
        lose(saved, able, error.message);
        return null;
      }
      for (const entry of able) if (failing.has(entry.id)) lose(saved, [entry], failing.get(entry.id) as string);
      const rest = able.filter(({ id }) => !failing.has(id));
      return { pages: rest, graph: encodePages(rest) };
    }
  }

  async #put(
    saved: Saved,
    state: SavedInstance,
    { pages, graph }: { pages: readonly SavedEntry[]; graph: Uint8Array },
  ): Promise<void> {
    const { nextId, mark, timeoutMs } = state;
    const head: CheckpointHead = {
      savedAt: 0,
      nextId,
      mark,
      timeoutMs,
      pages: pages.map(({ id, nonce, mark: own }) => [id, nonce, own]),
      losses: saved.lossesToKeep(),
    };
    const digest = crypto().createHash('sha256').update(JSON.stringify(head)).update(graph).digest('base64');
    const now = Date.now();
    if (saved.isStored && digest === saved.digest && now - saved.storedAt < this.#lifetimeMs / RENEWALS) return;
    await this.#store(saved, { ...head, savedAt: now }, graph);
    saved.pages = new Set(pages.map(({ id }) => id));
    saved.digest = digest;
    saved.storedAt = now;
  }

  /** The checkpoint stays what it was, and says besides what is not in it. */
  async #putLosses(saved: Saved): Promise<void> {
    const kept = saved.isStored ? await readCheckpoint(saved.home) : null;
    const { head, graph } =
      kept === null || kept.sealed.length === 0
        ? { head: EMPTY_HEAD, graph: encodePages([]) }
        : this.#open(kept, saved.home);
    const losses = saved.lossesToKeep();
    if (kept !== null && JSON.stringify(losses) === JSON.stringify(head.losses)) return;
    saved.digest = '';
    const nextId = Math.max(head.nextId, ...losses.map(([id]) => id + 1));
    await this.#store(saved, { ...head, nextId, losses }, graph);
  }

  async #store(saved: Saved, head: CheckpointHead, graph: Uint8Array): Promise<void> {
    const sealed = this.#seal.seal(writeRecord(head, graph), bindingOf(saved.home));
    const { tag, replaces } = saved.next();
    await putCheckpoint(saved.home, { tag, sealed }, { lifetimeMs: this.#lifetimeMs, replaces });
    saved.onKept(tag);
  }

  async #forget(saved: Saved): Promise<void> {
    if (saved.isStored && !saved.isOver) {
      const { tag, replaces } = saved.next();
      // Who has it besides must not bring it back, for as long as he can have it.
      const lifetimeMs = saved.isRevived ? this.#lifetimeMs : Math.min(OVER_MS, this.#lifetimeMs);
      await putCheckpoint(saved.home, { tag, sealed: new Uint8Array() }, { lifetimeMs, replaces });
      saved.onKept(tag);
    }
    saved.onOver();
  }

  #open({ sealed }: Kept, home: string): ReturnType<typeof readRecord> {
    return readRecord(asBuffer(this.#seal.open(sealed, bindingOf(home))));
  }
}

const EMPTY_HEAD: CheckpointHead = { savedAt: 0, nextId: 1, mark: 0, timeoutMs: 0, pages: [], losses: [] };

function lose(saved: Saved, pages: readonly SavedEntry[], why: string): void {
  if (saved.lose(pages, why)) console.warn(`A page would not outlive its thread. ${why}`);
}

/** A checkpoint opens for the instance that it is of, and for no other. */
function bindingOf(home: string): string {
  return `checkpoint ${home}`;
}
