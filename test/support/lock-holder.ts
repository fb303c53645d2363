/**
 * A process of its own that takes locks of a directory. `hold DIRECTORY NAME`: says "held", and gives the lock back when its input
 * ends. `count DIRECTORY NAME FILE TIMES`: adds to a number in a file so often, under the lock.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileLocks } from '../../packages/host/src/file-locks.ts';

const [mode, directory = '', name = '', file = '', times = '0'] = process.argv.slice(2);
const locks = new FileLocks(directory);
if (mode === 'hold') {
  await locks.hold(name, async () => {
    process.stdout.write('held\n');
    for await (const _piece of process.stdin);
  });
} else {
  for (let i = 0; i < Number(times); i++)
    await locks.hold(name, async () => {
      const before = Number(readFileSync(file, 'utf8'));
      await sleep(1);
      writeFileSync(file, String(before + 1));
    });
}
await locks.close();
