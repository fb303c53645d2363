import { homeOf } from '@custodian/protocol';
import type { SavedEntry } from '../manager/manager.ts';
import type { InstanceAddress } from '../servlet/context.ts';
import { createTag } from './checkpoint-store.ts';
import type { CheckpointHead } from './record.ts';

/** Of what could not be saved, so many are remembered with an instance. */
const LOSSES_MAX_COUNT = 50;
const LOSS_MAX_CHARS = 600;
/** Of versions that the store did not say whether it has kept them, so many. */
const UNSURE_MAX_COUNT = 8;

/** What is known in a thread of an instance that was saved, or was to be. */
export class Saved {
  readonly address: InstanceAddress;
  readonly home: string;
  /** It was made again here: others may have it, too. */
  readonly isRevived: boolean;
  /** Pages that are in the checkpoint. */
  pages: Set<number>;
  /** Pages that could not be saved, and why. */
  readonly losses: Map<number, { nonce: string; why: string }> = new Map();
  /** The version that was kept last; null: none. */
  tag: string | null;
  /** Those after it of which nobody knows whether they were kept. */
  #unsure: string[] = [];
  /** Of what is stored, and when that was. */
  digest = '';
  storedAt = 0;
  /** The thread has something of it that would be lost. */
  hasUnsaved = false;
  /** That it has no page any more is known. */
  isOver = false;
  /** Somebody else has saved it since: what is here is not the instance any more. */
  isSuperseded = false;
  /** One after the other. */
  turn: Promise<void> = Promise.resolve();

  constructor(address: InstanceAddress, revived: { tag: string; head: CheckpointHead } | null = null) {
    this.address = address;
    this.home = homeOf(address);
    this.isRevived = revived !== null;
    this.tag = revived === null ? null : revived.tag;
    this.pages = new Set(revived?.head.pages.map(([id]) => id));
    for (const [id, nonce, why] of revived?.head.losses ?? []) this.losses.set(id, { nonce, why });
  }

  get isStored(): boolean {
    return this.tag !== null;
  }

  /** Nothing of it was ever sent to the store: nobody else can have it. */
  get isUnheard(): boolean {
    return this.tag === null && this.#unsure.length === 0;
  }

  /** Is that version this thread's? */
  isOwn(tag: string): boolean {
    return this.#own().includes(tag);
  }

  /** A version that is about to be kept, and what it may take the place of. */
  next(): { tag: string; replaces: string[] } {
    const replaces = this.#own();
    // Until it is known which one is there, none is the same as before.
    this.digest = '';
    const tag = createTag();
    this.#unsure = [...this.#unsure.slice(1 - UNSURE_MAX_COUNT), tag];
    return { tag, replaces };
  }

  #own(): string[] {
    const own = this.tag === null ? [...this.#unsure] : [this.tag, ...this.#unsure];
    // What began here may have made room, or be gone with the store's memory: it is kept anew.
    if (!this.isRevived) own.push('');
    return own;
  }

  /** That version is safe. */
  onKept(tag: string): void {
    this.tag = tag;
    this.isOver = false;
    this.#unsure = [];
  }

  /** It has no page any more, and nothing that could be lost. */
  onOver(): void {
    this.isOver = true;
    this.pages.clear();
    this.losses.clear();
    this.digest = '';
    this.hasUnsaved = false;
  }

  /** Of these pages, those that are not in the checkpoint will be lost with the thread. @returns is any of them new? */
  lose(pages: readonly SavedEntry[], why: string): boolean {
    let isNew = false;
    for (const { id, nonce } of pages) {
      if (this.pages.has(id) || this.losses.has(id)) continue;
      this.losses.set(id, { nonce, why: why.slice(0, LOSS_MAX_CHARS) });
      isNew = true;
    }
    for (const id of this.losses.keys()) {
      if (this.losses.size <= LOSSES_MAX_COUNT) break;
      this.losses.delete(id);
    }
    return isNew;
  }

  lossesToKeep(): CheckpointHead['losses'] {
    return Array.from(this.losses, ([id, { nonce, why }]) => [id, nonce, why]);
  }
}
