import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Profile } from '../options.ts';
import { delegatedGroup } from '../jail/cgroup.ts';
import { tryJail } from '../jail/jail.ts';
import { outputOf, type Probe } from './wall.ts';

const NODE_MIN_MAJOR = 24;
const EVERY: readonly Profile[] = ['trusted', 'guest', 'jail'];
const GUESTS: readonly Profile[] = ['guest', 'jail'];
const JAIL: readonly Profile[] = ['jail'];
const OWN = (): string => 'part of the host';

/**
 * Every wall, which profiles it is for, and how it is tried, in the order in which doctor and SECURITY.md show them. A
 * wall that no profile has is only looked for.
 */
export const PROBES: readonly Probe[] = [
  {
    name: 'Node 24 or newer',
    stops: 'nothing by itself: it runs TypeScript as it stands and has the permission model',
    profiles: EVERY,
    isVital: true,
    attempt() {
      const major = Number(process.versions.node.split('.')[0]);
      if (major < NODE_MIN_MAJOR) throw new Error(`this is ${process.version}`);
      return process.version;
    },
  },
  {
    name: 'process per servlet',
    stops: 'an abort, an exit or a crash from reaching the host or another servlet',
    profiles: EVERY,
    isVital: true,
    async attempt() {
      // Not abort(), which may leave a core file where the operator stands.
      await outputOf(process.execPath, ['--eval', `process.kill(process.pid, 'SIGKILL')`]).then(
        () => Promise.reject(new Error('a child that kills itself does not end')),
        () => null,
      );
      return 'a child killed itself and only it ended';
    },
  },
  {
    name: 'process-group kill',
    stops: "a servlet's own child processes from outliving it",
    profiles: EVERY,
    async attempt() {
      if (process.platform === 'win32') throw new Error('Windows has no process groups');
      const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], {
        detached: true,
        stdio: 'ignore',
        env: {},
      });
      const ended = once(child, 'exit');
      await once(child, 'spawn');
      process.kill(-child.pid!, 'SIGKILL');
      const [, signal] = (await ended) as [number | null, string | null];
      if (signal !== 'SIGKILL') throw new Error(`a group that was sent SIGKILL ended by ${String(signal)}`);
      return 'a group of its own was killed';
    },
  },
  {
    name: 'permission model',
    stops:
      'a guest from reading and writing files, child processes, native addons and the debugger (not node:sqlite, not signals)',
    profiles: GUESTS,
    isVital: true,
    async attempt() {
      const script = `try { fs.readFileSync(process.execPath); console.log('read'); } catch (error) { console.log(error.code); }`;
      const seen = await outputOf(process.execPath, ['--permission', '--eval', script]);
      if (seen !== 'ERR_ACCESS_DENIED') throw new Error(`reading a file under --permission: ${seen}`);
      return 'reading a file under --permission was denied';
    },
  },
  {
    name: 'permission model for the network',
    stops: 'a guest from listening, connecting and looking up names',
    profiles: GUESTS,
    async attempt() {
      const script = `net.connect(9, '127.0.0.1').on('error', (error) => console.log(error.code));`;
      const seen = await outputOf(process.execPath, [
        '--permission',
        '--eval',
        `try { ${script} } catch (error) { console.log(error.code); }`,
      ]);
      if (seen !== 'ERR_ACCESS_DENIED') throw new Error(`${process.version} lets a process under --permission connect`);
      return 'connecting under --permission was denied';
    },
  },
  {
    name: 'scrubbed environment',
    stops: 'secrets in environment variables, and NODE_OPTIONS, from reaching a servlet',
    profiles: EVERY,
    async attempt() {
      const seen = await outputOf(process.execPath, ['--print', 'process.env.NODE_OPTIONS ?? process.env.HOME']);
      if (seen !== 'undefined') throw new Error('a child got variables that it was not given');
      return 'a child got only what it was given';
    },
  },
  {
    name: 'caps on heap and off-heap memory',
    stops: 'growth of what V8 tells of a thread: the thread is ended',
    profiles: EVERY,
    attempt: OWN,
  },
  {
    name: 'clocks of CPU and wall time',
    stops: 'endless loops, waiting for ever: the thread is ended',
    profiles: EVERY,
    attempt: OWN,
  },
  {
    name: 'bounds of the wire',
    stops: 'floods of frames and output, endless bodies, split headers',
    profiles: EVERY,
    attempt: OWN,
  },
  {
    name: 'walls within the thread',
    stops: 'a guest from sockets, signals, descriptors, SQLite and the inside of Node',
    profiles: GUESTS,
    attempt: OWN,
  },
  {
    name: 'broker of fetches',
    stops: 'a guest from reaching what its operator has not named',
    profiles: GUESTS,
    attempt: OWN,
  },
  {
    name: 'private temporary directory',
    stops: 'a guest from writing elsewhere, and more than `tempMb`',
    profiles: GUESTS,
    attempt: OWN,
  },
  {
    name: 'RSS sampling from /proc',
    stops: 'a cell from holding more resident memory than its cap, within a sample or two',
    profiles: EVERY,
    async attempt() {
      const text = await readFile('/proc/self/statm', 'utf8');
      const pages = Number(text.split(' ')[1]);
      if (!(pages > 0)) throw new Error('/proc/self/statm has no resident size');
      return '/proc/self/statm was read';
    },
  },
  {
    name: 'jail: RLIMIT_DATA by prlimit',
    stops:
      'a jailed cell from allocating far past the caps of its threads, between two samples too; where there is no cgroup v2',
    profiles: JAIL,
    async attempt() {
      const version = await outputOf('prlimit', ['--version']);
      const limits = await outputOf('prlimit', [
        '--data=4294967296:4294967296',
        'prlimit',
        '--data',
        '--noheadings',
        '--output=SOFT',
      ]);
      if (limits !== '4294967296') throw new Error(`a limit of 4294967296 was set and ${limits} was read`);
      return `${version}, a limit was set`;
    },
  },
  {
    name: 'jail: cgroup v2',
    stops: 'memory, threads and CPU use of a jailed cell past what the kernel is told, between two samples too',
    profiles: JAIL,
    attempt: () => `${delegatedGroup().folder} is delegated, a group was made`,
  },
  {
    name: 'jail: namespaces by bubblewrap',
    stops: 'a jailed servlet from seeing other files, processes and networks',
    profiles: JAIL,
    async attempt() {
      await tryJail();
      return `${await outputOf('bwrap', ['--version'])}, Node ran in a jail`;
    },
  },
  {
    name: 'jail: a user for each cell',
    stops: 'a jailed servlet that gets out from being the user of the host',
    profiles: JAIL,
    async attempt() {
      const { changesUser } = await tryJail();
      if (!changesUser) throw new Error('it takes a host that runs as root, and the program setpriv');
      return 'Node ran in a jail as a user of its own';
    },
  },
  {
    name: 'namespaces by unshare',
    stops: 'a servlet from seeing other processes and networks',
    profiles: [],
    async attempt() {
      const version = await outputOf('unshare', ['--version']);
      await outputOf('unshare', ['--user', '--map-root-user', '--net', '--pid', '--fork', 'true']);
      return `${version}, namespaces were made`;
    },
  },
  {
    name: 'jail: seccomp',
    stops: 'a jailed servlet from system calls that it does not need: sockets, processes, mounts, bpf',
    profiles: JAIL,
    async attempt() {
      const actions = await readFile('/proc/sys/kernel/seccomp/actions_avail', 'utf8').catch(() => null);
      if (actions === null) throw new Error('there is no /proc/sys/kernel/seccomp');
      if (!actions.includes('errno')) throw new Error(`the kernel offers ${actions.trim()}`);
      const { filtersCalls } = await tryJail();
      if (!filtersCalls) throw new Error(`the system calls of ${process.arch} are not known here`);
      return 'Node ran in a jail behind a filter';
    },
  },
];
