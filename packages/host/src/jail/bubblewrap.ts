import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** What a jailed process sees of the machine, and as whom it runs. */
export interface JailView {
  /** Files and directories that it may read, where they are. */
  readable: readonly string[];
  /** Its only place to write: memory, gone with it. Of this size. */
  tempDir: string;
  tempMaxBytes: number;
  /** Its current directory: an empty one. */
  emptyDir: string;
  /** Another user than the host's, where the host may choose; null: the host's. */
  uid: number | null;
  /** Descriptors that bubblewrap gets: where it tells its child's number, and where it reads the filter of system calls. */
  infoFd: number;
  seccompFd: number | null;
}

/** What Node is linked with, and its time zones. */
const LIBRARIES = [
  '/lib',
  '/lib64',
  '/usr/lib',
  '/usr/lib64',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
];
const ZONES = ['/etc/localtime', '/usr/share/zoneinfo'];
const EMPTY_BYTES = 4096;
const NAMESPACES = '--unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup-try --hostname servlet';

/** Bubblewrap's arguments for a command: namespaces of its own for everything, and nothing of the machine but the view. */
export function bubblewrapArguments(command: readonly string[], view: JailView): string[] {
  const setpriv = view.uid === null ? null : setprivPath();
  const bound = [
    ...LIBRARIES,
    ...ZONES,
    ...view.readable,
    command[0] as string,
    ...(setpriv === null ? [] : [setpriv]),
  ];
  const seen = bound.filter((path) => existsSync(path)).sort();
  return [
    // Without capabilities of the host's own, which the new user namespace would otherwise give it within.
    ...(view.uid === null
      ? ['--unshare-user']
      : ['--cap-drop', 'ALL', '--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID']),
    ...NAMESPACES.split(' '),
    '--die-with-parent',
    // Those above a mount would be for the host's user alone.
    ...parentsOf([...seen, view.tempDir, view.emptyDir]).flatMap((path) => ['--perms', '0755', '--dir', path]),
    ...seen.flatMap((path) => ['--ro-bind', path, path]),
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    ...memory('/dev/shm', '0555', EMPTY_BYTES),
    ...memory(view.emptyDir, '0555', EMPTY_BYTES),
    ...memory(view.tempDir, '0777', view.tempMaxBytes),
    // It is a memory of its own, which belongs to the host's user: without one of its own a cell could fill it.
    '--remount-ro',
    '/dev',
    '--remount-ro',
    '/',
    '--chdir',
    view.emptyDir,
    '--info-fd',
    String(view.infoFd),
    ...(view.seccompFd === null ? [] : ['--seccomp', String(view.seccompFd)]),
    '--',
    ...asUser(view.uid),
    ...command,
  ];
}

/** A file system in memory. */
function memory(path: string, mode: string, bytes: number): string[] {
  return ['--perms', mode, '--size', String(bytes), '--tmpfs', path];
}

/** What goes before a command to have it run as that user without privileges; nothing for the host's own. */
export function asUser(uid: number | null): string[] {
  const setpriv = uid === null ? null : setprivPath();
  if (setpriv === null) return [];
  return [setpriv, '--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--inh-caps=-all', '--'];
}

/** util-linux' program that changes the user; null where there is none. */
export function setprivPath(): string | null {
  return programPath('setpriv');
}

/** util-linux' program that sets limits of a process; null where there is none. */
export function prlimitPath(): string | null {
  return programPath('prlimit');
}

/** Null where there is none. */
export function bubblewrapPath(): string | null {
  return programPath('bwrap');
}

function programPath(name: string): string | null {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path)) ?? null;
}

/** From the top down. */
function parentsOf(paths: readonly string[]): string[] {
  const parents = new Set<string>();
  for (const path of paths) for (let at = dirname(path); at !== dirname(at); at = dirname(at)) parents.add(at);
  return [...parents].sort();
}
