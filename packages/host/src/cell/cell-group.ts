import type { Limits } from '../limits.ts';
import type { Profile } from '../options.ts';
import type { Cell } from './cell.ts';
import type { HeldServlet } from './held-servlet.ts';
import type { WarmCells } from './warm-cells.ts';

const MB = 1 << 20;

/** Servlets that share a process: those of a named group, or one alone. It has one cell at a time that takes new leases. */
export class CellGroup {
  readonly name: string;
  readonly profile: Profile;
  /** `cell: 'instance'`: every lease gets a process of its own. */
  readonly isExclusive: boolean;
  readonly #warm: WarmCells;
  /** What its servlets need to see in a jail. */
  readonly #files = new Set<string>();
  readonly #packages = new Set<string>();
  readonly #limits = new Set<Readonly<Limits>>();
  #tempMaxBytes = 0;
  #cell: Cell | null = null;

  constructor(name: string, profile: Profile, isExclusive: boolean, warm: WarmCells) {
    this.name = name;
    this.profile = profile;
    this.isExclusive = isExclusive;
    this.#warm = warm;
  }

  /** A servlet more that shares its process. */
  add({ file, compiledPackages, limits }: HeldServlet): void {
    this.#files.add(file);
    this.#limits.add(limits);
    for (const url of compiledPackages) this.#packages.add(url);
    this.#tempMaxBytes = Math.max(this.#tempMaxBytes, limits.tempMb * MB);
  }

  /** The cell for the next lease. */
  cell(): Cell {
    if (this.isExclusive) return this.#take();
    if (this.#cell !== null && this.#cell.hasChannel) return this.#cell;
    // Its channels are used up, or it is ending: it goes on only for those that it has.
    this.#cell?.retire();
    this.#cell = this.#take();
    return this.#cell;
  }

  #take(): Cell {
    const view = { files: this.#files, packages: this.#packages, tempMaxBytes: this.#tempMaxBytes };
    // An operator's wall may leave no room for what a warm-up leaves.
    const hasOwnWall = [...this.#limits].some(({ rssMb }) => rssMb > 0);
    return this.#warm.take(this.profile, view, !hasOwnWall);
  }

  /** Closes the cell, because nobody has asked for it for long. */
  retire(): void {
    this.#cell?.retire();
    this.#cell = null;
  }
}
