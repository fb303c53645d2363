import type { Cell } from '../cell/cell.ts';
import type { ServletPool } from '../cell/pool.ts';
import type { Host } from '../options.ts';

/** What the operator's listener sees and moves of its host. */
export interface AdminSite {
  readonly host: Host;
  pools(): readonly ServletPool[];
  /** Those that are loaded when the host starts. */
  eager(): readonly ServletPool[];
  /** Every cell, the empty ones that wait for use included. */
  cells(): readonly Cell[];
  connectionCount(): number;
  /** What is promised to threads, of what may be. */
  readonly budget: { readonly reservedBytes: number; readonly maxBytes: number };
  readonly stateDir: string;
  /** Where cells may write. */
  readonly cacheDir: string;
  /** It listens, its spare cells are booted and its eager servlets are loaded or benched. */
  isReady(): boolean;
  isClosing(): boolean;
}
