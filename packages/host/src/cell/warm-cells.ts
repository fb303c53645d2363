import { setTimeout as delay } from 'node:timers/promises';
import type { Profile } from '../options.ts';
import { Cell, type CellSite } from './cell.ts';
import type { JailedView } from './cell-process.ts';

/** A servlet that takes longer to load does not keep others from a spare cell. */
const LOAD_MAX_MS = 1000;
/** For the first answer of one that is loaded: to start a process keeps the acceptor from its sockets. */
const ANSWER_MS = 100;

/** A spare cell that nobody has taken for so long is warmed up. Where they are taken all the time, that would keep servlets from the processor. */
const WARM_UP_AFTER_MS = 500;

/** Cells that are booted and empty, so that a servlet that needs a new one does not wait for a process to start. */
export class WarmCells {
  readonly #site: CellSite;
  readonly #target: number;
  readonly #waiting = new Map<Profile, Cell[]>();
  readonly #warmed = new Set<Profile>();
  /** Resolves when the cell that was taken last has had its time to begin. */
  #lastBegun: Promise<void> = Promise.resolve();

  constructor(site: CellSite, target: number) {
    this.#site = site;
    this.#target = target;
  }

  /** The cells that wait for use. */
  get waiting(): Cell[] {
    return [...this.#waiting.values()].flat();
  }

  /** Some of its servlets have use for a cell that was warmed up. */
  expectUse(profile: Profile): void {
    this.#warmed.add(profile);
  }

  /** Boots the spare cells of a profile. */
  async prepare(profile: Profile): Promise<void> {
    if (profile === 'jail') return;
    const cells = this.#cellsOf(profile);
    while (cells.length < this.#target && !this.#site.custodian.isShut) {
      const cell = this.#boot(profile);
      cells.push(cell);
      void this.#warmUp(cell, cells).catch(() => {});
    }
    await Promise.all(cells.map((cell) => cell.booted));
  }

  /** A cell for use: a booted one if there is one. Another takes its place. `mayBeWarm`: it has room for what a warm-up leaves. */
  take(profile: Profile, view: JailedView, mayBeWarm: boolean): Cell {
    // What a jail shows is the servlet's: none can be made before it is known whose.
    if (profile === 'jail') return this.#boot(profile, view);
    const cells = this.#cellsOf(profile);
    const index = cells.findIndex(({ hasWarmUp }) => mayBeWarm || !hasWarmUp);
    const [cell = this.#boot(profile)] = index < 0 ? [] : cells.splice(index, 1);
    this.#lastBegun = hasBegun(cell);
    void this.#replace(cell, profile).catch(() => {});
    return cell;
  }

  /**
   * The one who waits goes first: a boot takes one core as long as loading his servlet does, and that takes another. When the cell that he
   * waited for has died meanwhile, he waits for the one that was taken last.
   */
  async #replace(taken: Cell, profile: Profile): Promise<void> {
    await this.#lastBegun;
    if (taken.isGone) await this.#lastBegun;
    await this.prepare(profile);
  }

  async #warmUp(cell: Cell, waiting: readonly Cell[]): Promise<void> {
    await cell.booted;
    await delay(WARM_UP_AFTER_MS, undefined, { ref: false });
    if (waiting.includes(cell) && this.#warmed.has(cell.profile)) cell.warmUp();
  }

  #cellsOf(profile: Profile): Cell[] {
    let cells = this.#waiting.get(profile);
    if (cells === undefined) this.#waiting.set(profile, (cells = []));
    return cells;
  }

  #boot(profile: Profile, view: JailedView | null = null): Cell {
    const cell = new Cell(profile, this.#site, view);
    void cell.gone.then(() => {
      const cells = this.#cellsOf(profile);
      const index = cells.indexOf(cell);
      if (index >= 0) cells.splice(index, 1);
    });
    return cell;
  }
}

async function hasBegun(cell: Cell): Promise<void> {
  await Promise.race([cell.begun, delay(LOAD_MAX_MS, undefined, { ref: false })]);
  await delay(ANSWER_MS, undefined, { ref: false });
}
