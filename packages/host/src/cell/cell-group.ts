import type { Profile } from '../options.ts';
import type { Cell } from './cell.ts';
import type { WarmCells } from './warm-cells.ts';

/** Servlets that share a process: those of a named group, or one alone. It has one cell at a time that takes new leases. */
export class CellGroup {
  readonly name: string;
  readonly profile: Profile;
  /** `cell: 'instance'`: every lease gets a process of its own. */
  readonly isExclusive: boolean;
  readonly #warm: WarmCells;
  #cell: Cell | null = null;

  constructor(name: string, profile: Profile, isExclusive: boolean, warm: WarmCells) {
    this.name = name;
    this.profile = profile;
    this.isExclusive = isExclusive;
    this.#warm = warm;
  }

  /** The cell for the next lease. */
  cell(): Cell {
    if (this.isExclusive) return this.#warm.take(this.profile);
    if (this.#cell !== null && this.#cell.hasChannel) return this.#cell;
    // Its channels are used up, or it is ending: it goes on only for those that it has.
    this.#cell?.retire();
    this.#cell = this.#warm.take(this.profile);
    return this.#cell;
  }

  /** Closes the cell, because nobody has asked for it for long. */
  retire(): void {
    this.#cell?.retire();
    this.#cell = null;
  }
}
