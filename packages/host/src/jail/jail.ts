import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import type { CellBounds } from './bounds.ts';
import { bubblewrapArguments, bubblewrapPath, type JailView, prlimitPath, setprivPath } from './bubblewrap.ts';
import { CgroupTree } from './cgroup.ts';
import { DataLimit, THREAD_DATA_SCRIPT } from './data-limit.ts';
import { seccompProgram } from './seccomp.ts';

/** Users that nobody else is, one for each cell: only the host's root may choose. */
const UID_FIRST = 0x6a_00_00_00;
const UID_COUNT = 0x10_00_00;
const TRIAL_MS = 10_000;

/** What this machine offers for a jail. */
export interface Jail {
  /** Each cell runs as a user of its own. */
  changesUser: boolean;
  filtersCalls: boolean;
  /** What the kernel is to hold a cell to; null: this machine has neither groups of control nor `prlimit`. */
  boundsFor: ((cell: number) => CellBounds) | null;
}

/** A command in its jail, ready to be spawned. */
export interface JailedCommand {
  program: string;
  args: string[];
  /** Descriptors that it needs beyond those of the command, from `firstFd` on. */
  fdCount: number;
  /**
   * Call it with the process's streams as soon as it is spawned; resolves when the jail stands. What it resolves to gives
   * the number of the command's own process, once that is known to run.
   */
  enter(stdio: readonly unknown[]): Promise<() => number>;
}

/** A jail can't be had here. */
export class JailError extends Error {
  override readonly name = 'JailError';
  readonly code = 'CUSTODIAN_JAIL';
}

/** Makes a jail and runs Node in it, to see whether it can. @throws JailError with the reason */
export async function tryJail(): Promise<Jail> {
  const jail: Jail = {
    changesUser: process.getuid?.() === 0 && setprivPath() !== null,
    filtersCalls: seccompProgram() !== null,
    boundsFor: null,
  };
  if (process.platform !== 'linux') throw new JailError(`Cannot make a jail: there is none on ${process.platform}`);
  if (bubblewrapPath() === null) throw new JailError('Cannot make a jail: there is no bubblewrap (bwrap)');
  const place = await mkdtemp(join(tmpdir(), 'custodian-jail-'));
  try {
    const view = { readable: [], tempDir: join(place, 'temp'), tempMaxBytes: 4096, emptyDir: join(place, 'empty') };
    const seen = await outputIn(jail, [process.execPath, '--print', 'process.getuid()'], view);
    if (jail.changesUser && Number(seen) < UID_FIRST) throw new Error(`it ran as user ${seen}`);
    return jail;
  } catch (cause) {
    throw new JailError(`Cannot make a jail: ${(cause as Error).message}`, { cause });
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** A jail that was tried, with what the kernel is to hold its cells to. @throws JailError with the reason */
export async function openJail(): Promise<Jail> {
  const jail = await tryJail();
  return { ...jail, boundsFor: await boundsOf(jail) };
}

/** Groups of control where they are delegated to the host; else limits of each process. */
async function boundsOf({ changesUser }: Jail): Promise<Jail['boundsFor']> {
  try {
    const tree = new CgroupTree();
    return (cell) => tree.boundsFor(cell);
  } catch {
    // `custodian doctor` says why.
  }
  if (prlimitPath() === null) return null;
  const { stdout } = await promisify(execFile)(process.execPath, ['--eval', THREAD_DATA_SCRIPT], { env: {} });
  return (cell) => new DataLimit(Number(stdout), changesUser ? userOf(cell) : null);
}

/** Why a servlet can't be read in a jail; null when it can. */
export function unreadableIn({ changesUser }: Jail, file: string): string | null {
  if (!changesUser) return null;
  const isOpen = (path: string, bits: number): boolean => (statSync(path).mode & bits) === bits;
  if (isOpen(dirname(file), 0o005) && isOpen(file, 0o004)) return null;
  return `Cannot make a jail: it has a user of its own, who may not read "${file}" (chmod -R o+rX "${dirname(file)}")`;
}

function userOf(cell: number): number {
  return UID_FIRST + (cell % UID_COUNT);
}

export type CellView = Pick<JailView, 'readable' | 'tempDir' | 'tempMaxBytes' | 'emptyDir'>;

/** `number` tells cells apart; `firstFd` is the first descriptor that is not the command's. */
export function jailed(
  jail: Jail,
  command: readonly string[],
  view: CellView & { number: number; firstFd: number },
): JailedCommand {
  const program = jail.filtersCalls ? seccompProgram() : null;
  const infoFd = view.firstFd;
  const seccompFd = program === null ? null : infoFd + 1;
  const uid = jail.changesUser ? userOf(view.number) : null;
  return {
    program: bubblewrapPath() ?? 'bwrap',
    args: bubblewrapArguments(command, { ...view, uid, infoFd, seccompFd }),
    fdCount: program === null ? 1 : 2,
    async enter(stdio) {
      if (seccompFd !== null) (stdio[seccompFd] as Duplex).end(program);
      let text = '';
      for await (const chunk of stdio[infoFd] as Duplex) text += String(chunk);
      // The first process of the new namespace is bubblewrap's own; the command is its child.
      const { 'child-pid': first } = JSON.parse(text) as { 'child-pid': number };
      return () => childOf(first);
    },
  };
}

/** The only child of a process. */
function childOf(pid: number): number {
  const isChild = (name: string): boolean => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
    } catch {
      return false;
    }
  };
  const child = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isChild(name));
  if (child === undefined) throw new Error(`Cannot find the process in the jail: ${pid} has no child`);
  return Number(child);
}

/** What a command prints in a jail. For trying it, and for tests of what it stops. */
export function outputIn(jail: Jail, command: readonly string[], view: CellView): Promise<string> {
  return new Promise((resolve, reject) => {
    const inJail = jailed(jail, command, { ...view, number: 0, firstFd: 3 });
    const extra = Array.from({ length: inJail.fdCount }, () => 'pipe' as const);
    const child = spawn(inJail.program, inJail.args, {
      env: {},
      stdio: ['ignore', 'pipe', 'pipe', ...extra],
      timeout: TRIAL_MS,
    });
    let output = '';
    let errors = '';
    child.stdout?.on('data', (chunk) => (output += String(chunk)));
    child.stderr?.on('data', (chunk) => (errors += String(chunk)));
    child.on('error', reject);
    for (const stream of child.stdio.slice(3)) stream?.on('error', () => {});
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output.trim());
      else reject(new Error(errors.trim().split('\n')[0] || `it ended with ${signal ?? `code ${code}`}`));
    });
    if (child.pid !== undefined) inJail.enter(child.stdio).catch(() => {});
  });
}
