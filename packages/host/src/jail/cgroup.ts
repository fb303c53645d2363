import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type CellBounds, type Holding, TASKS_MAX_COUNT } from './bounds.ts';

/** The sampler, which can say whose fault it is, comes first. */
const MEMORY_SLACK_BYTES = 32 << 20;
const CPU_PERIOD_US = 100_000;
/** Of one core: left to the host, whatever its jailed cells do. */
const CPU_LEFT = 0.5;
/** A group can be removed only when the kernel has done with its last process. */
const REMOVE_TRIES = 20;
const REMOVE_EVERY_MS = 100;

/** Where the kernel tells about groups; tests have their own. */
export interface CgroupFiles {
  membership: string;
  mounts: string;
}

/** Of a host's own process, and of its cells. */
const GROUP = /^custodian-(\d+)-/;

const FILES: CgroupFiles = { membership: '/proc/self/cgroup', mounts: '/proc/self/mounts' };

/** The group of this process, if it may have groups of its own below it. @throws Error with the reason why not */
export function delegatedGroup({ membership, mounts }: CgroupFiles = FILES): { folder: string; controllers: string[] } {
  const path = /^0::(.*)$/m.exec(textOf(membership))?.[1];
  if (path === undefined) throw new Error('this process is in no v2 group');
  const mount = textOf(mounts)
    .split('\n')
    .find((line) => line.split(' ')[2] === 'cgroup2')
    ?.split(' ')[1];
  if (mount === undefined) throw new Error('the v2 hierarchy is not mounted');
  const folder = join(mount, path);
  const controllers = textOf(join(folder, 'cgroup.controllers')).trim().split(/\s+/).filter(Boolean);
  for (const controller of ['memory', 'pids'])
    if (!controllers.includes(controller))
      throw new Error(`${folder} has no ${controller} controller (it has ${controllers.join(' ') || 'none'})`);
  try {
    // Only who may make a group below and move a process into it can use one.
    for (const file of ['cgroup.subtree_control', 'cgroup.procs']) accessSync(join(folder, file), constants.W_OK);
    const trial = join(folder, `custodian-trial-${process.pid}`);
    mkdirSync(trial);
    rmdirSync(trial);
  } catch {
    throw new Error(`${folder} is not delegated to this user`);
  }
  return { folder, controllers };
}

/** Groups of control (cgroup v2) for jailed cells, below the one that the host was given. */
export class CgroupTree {
  readonly #folder: string;
  readonly #hasCpu: boolean;

  /** Moves this process into a group beside those of its cells, since a group with groups below it may have no process. @throws Error */
  constructor(files: CgroupFiles = FILES) {
    const { folder, controllers } = delegatedGroup(files);
    this.#folder = folder;
    this.#hasCpu = controllers.includes('cpu');
    for (const name of readdirSync(folder)) if (isLeft(name)) removeGroup(join(folder, name));
    const own = join(folder, `custodian-${process.pid}-host`);
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'cgroup.procs'), String(process.pid));
    writeFileSync(join(folder, 'cgroup.subtree_control'), `+memory +pids${this.#hasCpu ? ' +cpu' : ''}`);
  }

  boundsFor(cell: number): CellBounds {
    return new CellGroupOfControl(join(this.#folder, `custodian-${process.pid}-${cell}`), this.#hasCpu);
  }
}

class CellGroupOfControl implements CellBounds {
  readonly #folder: string;

  constructor(folder: string, hasCpu: boolean) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#write('pids.max', TASKS_MAX_COUNT);
    // All of it ends, not the process that happens to be the largest.
    this.#write('memory.oom.group', 1);
    if (!hasCpu) return;
    const cores = Math.max(CPU_LEFT, availableParallelism() - CPU_LEFT);
    this.#write('cpu.max', `${cores * CPU_PERIOD_US} ${CPU_PERIOD_US}`);
  }

  /** A shell joins the group and becomes the program: nothing of it runs outside for a moment. */
  around(program: string, args: readonly string[]): { program: string; args: readonly string[] } {
    const script = 'echo $$ > "$0" && exec "$@"';
    return { program: '/bin/sh', args: ['-c', script, join(this.#folder, 'cgroup.procs'), program, ...args] };
  }

  hold(_pid: number, { wallBytes, tempBytes }: Holding): Promise<void> {
    this.#write('memory.max', wallBytes + tempBytes + MEMORY_SLACK_BYTES);
    return Promise.resolve();
  }

  end(): boolean {
    const kills = Number(/^oom_kill (\d+)$/m.exec(textOf(join(this.#folder, 'memory.events')))?.[1] ?? 0);
    this.#remove(REMOVE_TRIES);
    return kills > 0;
  }

  #write(file: string, value: number | string): void {
    writeFileSync(join(this.#folder, file), String(value));
  }

  #remove(tries: number): void {
    try {
      rmdirSync(this.#folder);
    } catch {
      if (tries > 0) setTimeout(() => this.#remove(tries - 1), REMOVE_EVERY_MS).unref();
    }
  }
}

/** Is it the group of a host that is gone, and could not clear up? One of our own number is, too: we have none yet. */
function isLeft(name: string): boolean {
  const pid = Number(GROUP.exec(name)?.[1] ?? 0);
  if (pid === 0 || pid === process.pid) return pid !== 0;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function removeGroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // There is a process in it.
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
