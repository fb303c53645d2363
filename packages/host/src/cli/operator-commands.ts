import { setTimeout as delay } from 'node:timers/promises';
import type { Action } from '../admin/actions.ts';
import type { HostSnapshot } from '../admin/snapshot.ts';
import type { Limits } from '../limits.ts';
import { plainJson } from '../plain-text.ts';
import { defaultStateDir } from '../state-dir.ts';
import { type Command, UsageError } from './arguments.ts';
import { OperatorClient } from './operator-client.ts';
import { createPaint } from './paint.ts';
import { renderSnapshot } from './snapshot-tables.ts';
import { cutToWidth } from './text-width.ts';

type OperatorCommand = Extract<Command, { name: 'ps' | 'kill' | 'top' | 'adjust' }>;

const TOP_EVERY_MS = 1000;
/** q, Q, Ctrl-C and Ctrl-D. */
const ENDING_KEYS = new Set([0x71, 0x51, 3, 4]);
/** Lines are written over those of before: what has scrolled away of the terminal is not ours to clear. */
const HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[2K';
const CLEAR_BELOW = '\u001B[J';

/** `ps`, `kill`, `top` and `adjust`: resolves to the exit code. @throws OperatorError, UsageError */
export async function runOperatorCommand(command: OperatorCommand): Promise<number> {
  const client = OperatorClient.find(command.stateDir ?? defaultStateDir(), command.pid);
  switch (command.name) {
    case 'ps': {
      const snapshot = await client.snapshot();
      const paint = createPaint(process.stdout, process.env);
      process.stdout.write(
        command.isJson ? `${plainJson(JSON.stringify(snapshot, null, 2))}\n` : renderSnapshot(snapshot, paint),
      );
      return 0;
    }
    case 'kill': {
      const actions = actionsFor(command.target, await client.snapshot());
      for (const action of actions) await client.act(action);
      process.stdout.write(`Killed ${actions.length === 1 ? 'it' : `${actions.length} threads`}: ${command.target}\n`);
      return 0;
    }
    case 'top':
      return top(client, command.count);
    case 'adjust': {
      const { servlet, limits } = command;
      await client.act({ action: 'adjust', servlet, limits });
      const found = (await client.snapshot()).servlets.find(({ name }) => name === servlet);
      const now = Object.keys(limits).map((name) => `${name}=${found?.limits[name as keyof Limits]}`);
      process.stdout.write(`Adjusted ${servlet}: ${now.join(' ')}\n`);
      return 0;
    }
  }
}

/** What a target of `kill` comes to: a cell by its pid, a thread as CELL.THREAD, or all threads of a servlet. */
function actionsFor(target: string, snapshot: HostSnapshot): Action[] {
  const thread = /^(\d+)\.(\d+)$/.exec(target);
  if (thread !== null) return [{ action: 'kill', cell: Number(thread[1]), thread: Number(thread[2]) }];
  const cell = snapshot.cells.find(({ pid }) => String(pid) === target);
  if (cell !== undefined) return [{ action: 'kill', cell: cell.number, thread: null }];
  const servlet = snapshot.servlets.find(({ name }) => name === target);
  if (servlet === undefined) {
    throw new UsageError(
      `Cannot kill "${target}": no cell has that pid, and no servlet that name (a thread is written CELL.THREAD; see "custodian ps")`,
    );
  }
  if (servlet.threadList.length === 0) throw new UsageError(`Cannot kill "${target}": it has no thread now`);
  return servlet.threadList.map(({ cell: number, thread: each }) => ({ action: 'kill', cell: number, thread: each }));
}

/** On a terminal the tables are drawn anew each second, until Ctrl-C or q; elsewhere they follow one another. */
async function top(client: OperatorClient, count: number): Promise<number> {
  const paint = createPaint(process.stdout, process.env);
  const isLive = process.stdout.isTTY;
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  if (process.stdin.isTTY) {
    process.stdin.setRawMode(true);
    process.stdin.on('data', (keys: Buffer) => {
      // In raw mode Ctrl-C and Ctrl-D are keys.
      if (keys.some((key) => ENDING_KEYS.has(key))) end();
    });
  }
  try {
    for (let shown = 1; !stop.signal.aborted; shown++) {
      const snapshot = await untilStopped(client.snapshot(stop.signal), stop.signal);
      if (snapshot === null) break;
      const text = renderSnapshot(snapshot, paint);
      process.stdout.write(isLive ? HOME + fit(text, process.stdout) + CLEAR_BELOW : `${text}\n`);
      if (shown === count) break;
      await delay(TOP_EVERY_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdin.destroy();
  }
  return 0;
}

/** A host that hangs must not keep its operator. @returns null when it was stopped */
async function untilStopped<T>(asked: Promise<T>, signal: AbortSignal): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** What does not fit would scroll the head away. */
export function fit(text: string, { rows = 24, columns = 80 }: { rows?: number; columns?: number }): string {
  const lines = text
    .trimEnd()
    .split('\n')
    .slice(0, rows - 1);
  return lines.map((line) => `${CLEAR_LINE}${cutToWidth(line, columns)}\n`).join('');
}
