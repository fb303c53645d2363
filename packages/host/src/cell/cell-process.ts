import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JsonLineReader, type ToCell, type ToSupervisor, writeJsonLine } from '@custodian/protocol';
import type { Profile } from '../options.ts';
import type { CellBounds } from '../jail/bounds.ts';
import { CODE_RANGE_MB } from '../jail/data-limit.ts';
import { type Jail, jailed, type JailedCommand, JailError } from '../jail/jail.ts';
import { removeTree } from '../remove-tree.ts';
import { ByteBudget } from './byte-budget.ts';
import { HEAP_FLAGS } from './kept-heap.ts';
import { cellFlags, jailReadable } from './profile.ts';

// `.ts` in a checkout, `.js` in a package: as this file is.
const MAIN = fileURLToPath(new URL(`main${extname(import.meta.url)}`, import.meta.url));
const CONTROL_FD = 3;
/** A thread's channel dies with it, and a process can't be given new ones: when they are used up the cell is replaced. */
export const CHANNEL_COUNT = 32;
const TEMP_NAME_CHARS = 32;
const STDERR_KEPT_CHARS = 8 * 1024;
/** So much of a cell's error output is read in a second; beyond it the writer waits. */
const STDERR_BYTES_PER_SECOND = 64 * 1024;
/** What a supervisor says is a few lines; a guest that writes to its descriptor must not keep the acceptor busy. */
const CONTROL_BYTES_PER_SECOND = 1 << 20;

/** Where and how cells are started. */
export interface ProcessSite {
  /** An empty directory: a permissioned thread may read its process's current one, whatever it is granted. */
  emptyDir: string;
  cacheDir: string;
  /** Each cell has a directory in it for its guests' temporary files, which goes with the cell. */
  tempDir: string;
  /** What the machine offers for the profile `jail`; null when it can't be had, or nobody asked for it. */
  jail: Jail | null;
}

/** What a jailed cell is shown of the machine. */
export interface JailedView {
  /** Its servlets' files. */
  files: Iterable<string>;
  /** `file:` URLs of packages that are compiled with them. */
  packages: Iterable<string>;
  tempMaxBytes: number;
}

export interface ProcessEvents {
  /** A control line, of whatever shape. */
  onMessage(message: ToSupervisor): void;
  /** What came is no control line, or too much. */
  onMalformed(): void;
  /** Its jail does not stand. */
  onNoJail(): void;
  /** Once. `detail`: exit code or signal. */
  onGone(detail: string): void;
}

/** A cell's process as the system knows it: its descriptors, its process group, its temporary files, its exit. */
export class CellProcess {
  /** Of the process group's leader, which within a jail is bubblewrap. */
  readonly pid: number;
  /** null: it is no jail's, or the kernel offers none. */
  readonly bounds: CellBounds | null;
  readonly #tempDir: string;
  readonly #child: ChildProcess;
  readonly #control: Socket;
  /** Resolves when the jail stands; null without one. */
  readonly #entered: Promise<() => number> | null;
  #lastWords = '';
  #removed: Promise<void> = Promise.resolve();

  /** @throws JailError when the profile is `jail`, and there is none; Error when the system has no process or descriptor left */
  constructor(profile: Profile, cell: number, site: ProcessSite, view: JailedView | null, events: ProcessEvents) {
    this.#tempDir = join(site.tempDir, String(cell));
    if (profile === 'guest') mkdirSync(this.#tempDir, { mode: 0o700 });
    const pipes = Array.from({ length: CHANNEL_COUNT + 1 }, () => 'pipe' as const);
    const command = commandOf(profile, site, this.#tempDir);
    const inJail = profile === 'jail' ? jailedCommand(command, cell, site, view, this.#tempDir, pipes.length) : null;
    const extra = Array.from({ length: inJail?.fdCount ?? 0 }, () => 'pipe' as const);
    this.bounds = inJail === null ? null : (site.jail?.boundsFor?.(cell) ?? null);
    const [first, ...rest] = command;
    const inner = inJail ?? { program: first, args: rest };
    const { program, args } = this.bounds?.around(inner.program, inner.args) ?? inner;
    this.#child = spawn(program, args, {
      cwd: site.emptyDir,
      env: environmentOf(site),
      stdio: ['ignore', 'ignore', 'pipe', ...pipes, ...extra],
      // A process group of its own, so that what it starts dies with it.
      detached: true,
    });
    // Without a listener a process that can't be started would end the acceptor.
    this.#child.on('error', () => {});
    if (this.#child.pid === undefined)
      throw new Error('Cannot start a cell: the system has no process or descriptor left');
    this.pid = this.#child.pid;
    this.#entered = inJail === null ? null : inJail.enter(this.#child.stdio);
    this.#entered?.catch(() => events.onNoJail());
    // The end of the process shows as errors on all of these; its exit is what we act on.
    for (const stream of this.#child.stdio.slice(CONTROL_FD)) stream?.on('error', () => {});
    this.#control = this.#child.stdio[CONTROL_FD] as Socket;
    this.#readControl(events);
    this.#readStderr();
    this.#child.once('exit', (code, signal) => {
      // The leader is gone; what it started must not outlive it.
      signalGroup(this.pid);
      this.#removed = removeTree(this.#tempDir);
      events.onGone(exitText(code, signal, inJail !== null));
    });
  }

  get isJailed(): boolean {
    return this.#entered !== null;
  }

  /** The end of what the process wrote to its error output: V8's own words when it aborts. */
  get lastWords(): string {
    return this.#lastWords.trim();
  }

  /** The number of the supervisor's own process, once it has said something. Rejects when it is gone again, or its jail does not stand. */
  async ownPid(): Promise<number> {
    return this.#entered === null ? this.pid : (await this.#entered)();
  }

  /** The channel for a lease, numbered from 1 to {@link CHANNEL_COUNT}. */
  channel(number: number): Socket {
    return this.#child.stdio[this.channelFd(number)] as Socket;
  }

  /** The descriptor of that channel within the process. */
  channelFd(number: number): number {
    return CONTROL_FD + number;
  }

  /** The home of a guest's thread: see {@link GuestOrder}. */
  tempDirFor(servletName: string, lease: number): string {
    // Of whatever length and characters the name is.
    const ofServlet = createHash('sha256').update(servletName).digest('hex').slice(0, TEMP_NAME_CHARS);
    return join(this.#tempDir, ofServlet, String(lease));
  }

  send(message: ToCell): void {
    if (this.#control.writable) writeJsonLine(this.#control, message);
  }

  /** Ends it and all that it has started, at once. */
  kill(): void {
    signalGroup(this.pid);
    this.#child.kill('SIGKILL');
  }

  /** Once it is gone: resolves when its temporary files are, too. */
  removed(): Promise<void> {
    return this.#removed;
  }

  #readControl(events: ProcessEvents): void {
    const reader = new JsonLineReader((value) => events.onMessage(value as ToSupervisor));
    const budget = new ByteBudget(CONTROL_BYTES_PER_SECOND);
    this.#control.on('data', (chunk: Buffer) => {
      if (!budget.take(chunk.length)) return events.onMalformed();
      try {
        reader.push(chunk);
      } catch {
        events.onMalformed();
      }
    });
  }

  #readStderr(): void {
    const stderr = this.#child.stderr;
    if (stderr === null) return;
    let budget = STDERR_BYTES_PER_SECOND;
    stderr.on('data', (chunk: Buffer) => {
      this.#lastWords = (this.#lastWords + chunk.toString('latin1')).slice(-STDERR_KEPT_CHARS);
      budget -= chunk.length;
      if (budget > 0) return;
      stderr.pause();
      setTimeout(() => {
        budget = STDERR_BYTES_PER_SECOND;
        stderr.resume();
      }, 1000).unref();
    });
    stderr.on('error', () => {});
  }
}

/** Node with the supervisor, before any jail is put around it. */
function commandOf(
  profile: Profile,
  { cacheDir, emptyDir }: ProcessSite,
  tempDir: string,
): [program: string, ...args: string[]] {
  const codeRangeMb = profile === 'jail' ? CODE_RANGE_MB : 0;
  const mainArgs = [cacheDir, emptyDir, String(CHANNEL_COUNT), String(codeRangeMb)];
  return [
    process.execPath,
    ...cellFlags(profile, cacheDir, tempDir),
    ...HEAP_FLAGS,
    '--no-warnings',
    MAIN,
    ...mainArgs,
  ];
}

function environmentOf({ cacheDir }: ProcessSite): Record<string, string> {
  const { TZ } = process.env;
  return {
    NODE_COMPILE_CACHE: cacheDir,
    // Large pieces of memory go back to the system when they are freed: a killed thread's must not count against the next.
    MALLOC_MMAP_THRESHOLD_: '131072',
    MALLOC_TRIM_THRESHOLD_: '131072',
    ...(TZ === undefined ? {} : { TZ }),
  };
}

function jailedCommand(
  command: readonly string[],
  cell: number,
  { jail, cacheDir, emptyDir }: ProcessSite,
  view: JailedView | null,
  tempDir: string,
  pipeCount: number,
): JailedCommand {
  if (jail === null || view === null)
    throw new JailError('Cannot start a cell: its jail was not tried when the host started');
  return jailed(jail, command, {
    number: cell,
    firstFd: CONTROL_FD + pipeCount,
    readable: jailReadable(view.files, view.packages, cacheDir),
    tempDir,
    tempMaxBytes: view.tempMaxBytes,
    emptyDir,
  });
}

/** Bubblewrap ends with 128 and the number of the signal that its command has ended by. */
function exitText(code: number | null, signal: NodeJS.Signals | null, isJailed: boolean): string {
  const number = isJailed && code !== null ? code - 128 : 0;
  const name = signal ?? Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return name === undefined ? `exit code ${code}` : `signal ${name}`;
}

function signalGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}
