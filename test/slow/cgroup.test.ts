import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LinuxGuest } from '../support/linux-guest.ts';

const MAIN = fileURLToPath(new URL('../support/cgroup-guest-main.ts', import.meta.url));
const GUEST_MAX_MS = 580_000;

/**
 * The group is what a service manager delegates: the host is alone in it. When the host was killed, it takes no process until its
 * controllers are off, which such a manager sees to.
 */
const SCRIPT = `
  cd /sys/fs/cgroup
  echo '+memory +pids +cpu' > cgroup.subtree_control
  mkdir service
  host() { sh -c 'echo $$ > service/cgroup.procs && exec "$@"' sh '${process.execPath}' --no-warnings '${MAIN}' "$@"; }
  host killed
  sleep 2
  echo '-memory -pids -cpu' > service/cgroup.subtree_control
  host`;

interface Page {
  status: number;
  text: string;
}

interface Facts {
  own: string[];
  groupsAtStart: string[];
  calm: Page;
  large: Page;
  processes: number;
  pids: string;
  memoryMb: number;
  cpu: string;
  isWhole: string;
  beyond: Page;
  obituaries: object[];
  calmAfter: Page;
  largeAfter: Page;
  isGone: boolean;
  groupsAtEnd: string[];
}

/** In a kernel of its own: this machine's may have no v2 hierarchy with controllers, and a test has no business in it. */
test('a jailed cell is in a group whose bounds the kernel holds, and nothing else ends with it', async (context) => {
  context.skip(!LinuxGuest.isInstalled, 'user-mode-linux is not installed');
  const lines = await LinuxGuest.run(SCRIPT, { ms: GUEST_MAX_MS });
  const facts = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Partial<Facts>);
  const again = facts.findLastIndex(({ own }) => own !== undefined);
  const first = Object.assign({}, ...facts.slice(0, again)) as Facts;
  const second = Object.assign({}, ...facts.slice(again)) as Facts;

  expect(first.groupsAtStart, lines.join('\n')).toEqual(first.own);
  const served = { calm: { status: 200, text: 'calm' }, large: { status: 200, text: '0' } };
  expect(first).toMatchObject({ ...served, pids: '96', cpu: '50000 100000', isWhole: '1' });
  expect(first.processes).toBeGreaterThan(1);
  expect(first.memoryMb).toBeGreaterThan(200);
  expect(first.memoryMb).toBeLessThan(600);

  expect(first.beyond.status).toBe(503);
  const died = { servlet: 'large', cause: 'rss', limit: 'rssMb', request: 'GET /large?mb=30' };
  expect(first.obituaries).toEqual([died]);
  expect(first).toMatchObject({ calmAfter: served.calm, largeAfter: served.large, isGone: true });

  // The groups of the host that was killed are gone with it, or removed by the next.
  expect(second.own).not.toEqual(first.own);
  expect(second.groupsAtStart).toEqual(second.own);
  expect(second.groupsAtEnd).toEqual(second.own);
});
