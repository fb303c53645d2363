/** What the kernel itself holds a jailed cell to, between two samples of its host too. */
export interface CellBounds {
  /** The command that starts a program within them. */
  around(program: string, args: readonly string[]): { program: string; args: readonly string[] };
  /** Before a thread starts, and when one is gone. Resolves when the kernel knows. */
  hold(pid: number, holding: Holding): Promise<void>;
  /** The cell is gone. `true`: the kernel ended it for its memory. */
  end(): boolean;
}

/** What a cell may have just now. */
export interface Holding {
  threads: number;
  /** The caps of its threads together. */
  capBytes: number;
  /** The resident memory that its host kills it above. */
  wallBytes: number;
  /** What its temporary files may take. */
  tempBytes: number;
}

/** A cell's processes and threads: Node's own dozen, and those of 32 leases. */
export const TASKS_MAX_COUNT = 96;
