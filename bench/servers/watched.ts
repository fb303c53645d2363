// A host whose long requests are watched and whose servlet is held to its cap, or neither, as the bench says: `on`, `off`. With `isHeld: false` nobody is held to a cap; with `times`, supervisors' clocks go so much faster, and V8 collects without helpers.
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { serve, type ServeOptions, type ServletStatus } from '@custodian/host';
import type { Cell } from '../../packages/host/src/cell/cell.ts';
import { Watchdog } from '../../packages/host/src/cell/watchdog.ts';
import { givenOptions, serving } from '../support/serving.ts';

let isOn = true;
const cells = new Set<Cell>();
const follow = Reflect.get(Watchdog.prototype, 'follow') as (...args: Parameters<Watchdog['follow']>) => void;
// Who is not followed is neither swept nor watched, and so is not sampled: all that accounting does while a request runs.
Watchdog.prototype.follow = function (this: Watchdog, ...args: Parameters<Watchdog['follow']>): void {
  const [{ cell }] = args;
  cells.add(cell);
  if (isOn) Reflect.apply(follow, this, args);
};

/** Garbage does not come near it, so that V8 alone says when it is collected. */
const NO_CAP_MB = 4096;

const { isHeld, times = 1, ...options } = givenOptions<ServeOptions & { isHeld: boolean; times?: number }>();
const imported = [...(isHeld ? [] : ['unheld.ts']), ...(times > 1 ? [`hurried.ts?times=${times}`] : [])];
if (imported.length > 0) {
  const { spawn } = childProcess;
  const alone = times > 1 ? ['--single-threaded-gc'] : [];
  const extra = [...alone, ...imported.flatMap((file) => ['--import', new URL(file, import.meta.url).href])];
  childProcess.spawn = ((program: string, args: string[], how: childProcess.SpawnOptions) =>
    spawn(program, [...extra, ...args], how)) as typeof spawn;
  syncBuiltinESMExports();
}
const host = await serve({ log: false, ...options });
const { name, limits } = host.servlets[0] as ServletStatus;
const { heapMb } = limits;
serving(
  host.port,
  () => host.close(),
  (question) => {
    isOn = question === 'on';
    // Between two requests it is told of as well, and may be asked to collect.
    host.adjust(name, { heapMb: isOn ? heapMb : NO_CAP_MB });
    // For a second after a watched request all threads are sampled four times: that is no part of what runs unwatched.
    if (!isOn) for (const cell of cells) cell.setActive(false);
  },
);
