import { openSync, writeSync } from 'node:fs';

/**
 * Goes over a limit and on for ever. Writes to the file `?file=` where it is: what it has used, and the time on the
 * clock that all processes share. `?of=heap`: takes `?mb=` MB more or less at once, then computes, and writes once,
 * when it goes over `?cap=`. `?of=cpu`: computes, and writes all the time how many ms of CPU time it has used.
 */
export default function breach(request: { url: string }): never {
  const query = new URL(request.url, 'http://bench').searchParams;
  const file = openSync(query.get('file') ?? '/dev/null', 'w');
  const tell = (used: number): void => {
    writeSync(file, `${used.toFixed(3).padStart(12)} ${process.hrtime.bigint()}`, 0);
  };
  const hoard: number[][] = [];
  if (query.get('of') === 'heap') {
    const doubles = Array.from({ length: 8190 }, Math.random);
    const heldMb = process.memoryUsage().heapUsed / 1048576;
    const cap = Number(query.get('cap'));
    let isOver = false;
    for (let mb = heldMb; mb < Number(query.get('mb')); mb += 1 / 16) {
      hoard.push(doubles.slice());
      if (mb < cap || isOver) continue;
      isOver = true;
      tell(mb);
    }
    for (;;) if (hoard.length === 0) hoard.push(doubles);
  }
  const before = process.threadCpuUsage();
  for (;;) {
    const used = process.threadCpuUsage(before);
    tell((used.user + used.system) / 1000);
  }
}
