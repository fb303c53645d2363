import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cell } from '../cell/cell.ts';
import type { Lease } from '../cell/lease.ts';
import type { Limits } from '../limits.ts';
import type { AdminSite } from './site.ts';

/** What an operator can have done. `cell` is a cell's number, `thread` a thread's in it. */
export type Action =
  /** Ends a thread, or with `thread: null` a whole cell; their servlets get fresh ones. */
  | { action: 'kill'; cell: number; thread: number | null }
  /** Has a thread collect its garbage. */
  | { action: 'collect'; cell: number; thread: number }
  /** Takes down a thread's heap, in the form that browsers' developer tools read. */
  | { action: 'heap-snapshot'; cell: number; thread: number }
  /** Loads a servlet's file anew: what runs goes on in the old code, what comes runs in the new. */
  | { action: 'reload'; servlet: string }
  /** Gives a servlet other limits while it runs. */
  | { action: 'adjust'; servlet: string; limits: Partial<Limits> };

/** An action that can't be read, or can't be done now. */
export class ActionError extends Error {
  override readonly name = 'ActionError';
  readonly code = 'CUSTODIAN_ACTION';
}

/** What an action leaves for the operator to take away. */
export interface ActionFile {
  name: string;
  path: string;
  remove(): Promise<void>;
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value);

/** @throws ActionError */
export function readAction(body: string): Action {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(body) as Record<string, unknown>;
  } catch {
    throw new ActionError('Cannot read an action: it is not JSON');
  }
  const { action, cell, servlet, limits } = value ?? {};
  const thread = value?.['thread'] ?? null;
  if (action === 'kill' && isNumber(cell) && (thread === null || isNumber(thread))) return { action, cell, thread };
  if ((action === 'collect' || action === 'heap-snapshot') && isNumber(cell) && isNumber(thread))
    return { action, cell, thread };
  if (action === 'reload' && typeof servlet === 'string') return { action, servlet };
  if (action === 'adjust' && typeof servlet === 'string' && typeof limits === 'object' && limits !== null)
    return { action, servlet, limits };
  throw new ActionError(
    'Cannot read an action: it is none of kill, collect, heap-snapshot, reload, adjust, or lacks its object',
  );
}

/** @throws ActionError when what it names is not there */
export async function perform(site: AdminSite, action: Action): Promise<ActionFile | null> {
  switch (action.action) {
    case 'kill': {
      const cell = findCell(site, action.cell);
      if (action.thread === null) {
        cell.kill('operator');
        await cell.gone;
      } else findThread(cell, action.thread).end('operator');
      return null;
    }
    case 'collect':
      findThread(findCell(site, action.cell), action.thread).collect();
      return null;
    case 'heap-snapshot':
      return takeHeapSnapshot(site, findThread(findCell(site, action.cell), action.thread));
    case 'reload': {
      const pool = site.pools().find(({ servlet }) => servlet.name === action.servlet);
      if (pool === undefined) throw new ActionError(`Cannot reload "${action.servlet}": there is no such servlet`);
      pool.reload();
      return null;
    }
    case 'adjust':
      try {
        site.host.adjust(action.servlet, action.limits);
      } catch (cause) {
        throw new ActionError((cause as Error).message, { cause });
      }
      return null;
  }
}

/** The cell writes it where it may write; from there it goes to the operator and nowhere else. */
async function takeHeapSnapshot(site: AdminSite, lease: Lease): Promise<ActionFile> {
  const name = `thread ${lease.number} of cell ${lease.cell.number}`;
  if (lease.cell.profile === 'jail')
    throw new ActionError(
      `Cannot take down the heap of ${name}: a jailed cell writes nowhere that its host could read`,
    );
  const path = join(site.cacheDir, `${randomBytes(12).toString('hex')}.heapsnapshot`);
  const remove = (): Promise<void> => rm(path, { force: true });
  try {
    await lease.writeHeapSnapshot(path);
  } catch (cause) {
    await remove();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ActionError(`Cannot take down the heap of ${name}: ${why}`, { cause });
  }
  return { name: `cell-${lease.cell.number}-thread-${lease.number}.heapsnapshot`, path, remove };
}

function findCell(site: AdminSite, number: number): Cell {
  const cell = site.cells().find((candidate) => candidate.number === number);
  if (cell === undefined) throw new ActionError(`Cannot find cell ${number}: it is gone, or never was`);
  return cell;
}

function findThread(cell: Cell, number: number): Lease {
  const lease = cell.leases.get(number);
  if (lease === undefined)
    throw new ActionError(`Cannot find thread ${number} of cell ${cell.number}: it is gone, or never was`);
  return lease;
}
