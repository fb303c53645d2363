import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KERNEL = 'linux.uml';
const BEGIN = '--- begin';
const OVER = '--- over';

/** Mounts what a machine has; nothing of the files outside can be written. Then comes the script. */
const INIT = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/mnt TMPDIR=/mnt
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
ln -sf /proc/self/fd /dev/fd
mount -t tmpfs tmp /mnt
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
echo '${BEGIN}'
`;

/** A Linux kernel of its own, as a process of this one (user-mode Linux): for what a test may do to a kernel, and not to that of the machine. */
export class LinuxGuest {
  static readonly isInstalled: boolean = spawnSync(KERNEL, ['--version']).status === 0;

  /**
   * Boots it over this machine's files, runs a shell script as root, and halts it.
   * @returns the script's lines @throws Error when it is not over within that time
   */
  static async run(script: string, { ms }: { ms: number }): Promise<string[]> {
    const directory = mkdtempSync(join(tmpdir(), 'custodian-guest-'));
    const init = join(directory, 'init');
    writeFileSync(init, `${INIT}${script}\necho '${OVER}'\necho o > /proc/sysrq-trigger\nsleep 60\n`);
    chmodSync(init, 0o755);
    const files = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${init}`];
    const kernel = spawn(KERNEL, ['mem=2G', ...files, `uml_dir=${directory}/`, 'con=null', 'con0=null,fd:1', 'quiet'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      // Its processes are this one's too, and go with it.
      detached: true,
    });
    const closed = once(kernel, 'close');
    const late = setTimeout(() => kernel.kill('SIGKILL'), ms);
    let output = '';
    kernel.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    try {
      await closed;
    } finally {
      clearTimeout(late);
      try {
        process.kill(-(kernel.pid as number), 'SIGKILL');
      } catch {
        // All of it has ended.
      }
      rmSync(directory, { recursive: true, force: true });
    }
    const lines = output.split(/\r?\n/);
    const end = lines.indexOf(OVER);
    if (end === -1) throw new Error(`The guest's script was not over within ${ms} ms:\n${output}`);
    return lines.slice(lines.indexOf(BEGIN) + 1, end);
  }
}
