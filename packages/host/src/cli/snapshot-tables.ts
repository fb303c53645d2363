import type { HostSnapshot } from '../admin/snapshot.ts';
import type { Paint } from './paint.ts';
import { renderTable } from './table.ts';

const MB = 1 << 20;

/** A snapshot for a terminal: the host in a line, then its servlets, threads and cells as tables. */
export function renderSnapshot(snapshot: HostSnapshot, paint: Paint): string {
  const { servlets, cells, latency } = snapshot;
  const requests = servlets.reduce((sum, servlet) => sum + servlet.account.requests, 0);
  const head =
    `${paint('bold', snapshot.urls.join(' '))}  pid ${snapshot.pid}, up ${age(snapshot.upMs)}, ${requests} requests, ` +
    `p50 ${msOrNone(latency.p50Ms, latency.count)}, p99 ${msOrNone(latency.p99Ms, latency.count)}, ${snapshot.connections} connections, ` +
    `${mb(snapshot.rssBytes)} acceptor, ${mb(snapshot.reservedBytes)} of ${mb(snapshot.budgetBytes)} promised`;
  const servletTable = renderTable(
    [
      'SERVLET',
      'STATE',
      'PROFILE',
      'UNIT',
      '>REQUESTS',
      '>FAILED',
      '>DEATHS',
      '>P50',
      '>P99',
      '>CPU',
      '>THREADS',
      '>WAITING',
      '>HELD',
    ],
    servlets.map(({ name, state, profile, unit, account, latency: own, threads, queued, continuations }) => [
      name,
      state,
      profile,
      unit,
      account.requests,
      account.failures,
      account.kills,
      msOrNone(own.p50Ms, own.count),
      msOrNone(own.p99Ms, own.count),
      ms(account.cpuMs),
      threads,
      queued,
      continuations,
    ]),
    paint,
  );
  const threadTable = renderTable(
    ['THREAD', 'SERVLET', 'STATE', '>HEAP', '>OFF-HEAP', '>OTHER', '>CAP', '>CPU', '>ANSWERED', '>HELD', 'RUNNING'],
    servlets.flatMap(({ name, threadList }) =>
      threadList.map((thread) => [
        `${thread.cell}.${thread.thread}`,
        name,
        thread.state,
        mb(thread.heapBytes),
        mb(thread.offHeapBytes),
        mb(thread.unexplainedBytes),
        mb(thread.heapMaxBytes),
        ms(thread.cpuMs),
        thread.answered,
        thread.continuations,
        thread.request === null ? '-' : `${thread.request} ${ms(thread.requestMs)}`,
      ]),
    ),
    paint,
  );
  const cellTable = renderTable(
    ['CELL', '>PID', 'PROFILE', '>THREADS', '>RSS', '>WALL', '>AGE', '>WATCHING', 'SERVLETS'],
    cells.map((cell) => [
      cell.number,
      cell.pid,
      cell.profile,
      cell.threads,
      mb(cell.rssBytes),
      mb(cell.rssMaxBytes),
      age(cell.ageMs),
      ms(cell.samplingMs),
      cell.servlets.join(', ') || 'waits for use',
    ]),
    paint,
  );
  return [head, servletTable, threadTable, cellTable].join('\n\n') + '\n';
}

function mb(bytes: number): string {
  return `${(bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0)}M`;
}

function ms(value: number): string {
  if (value >= 1000) return `${(value / 1000).toFixed(1)}s`;
  return `${value.toFixed(value < 10 ? 1 : 0)}ms`;
}

/** Of no requests there is no quantile. */
function msOrNone(value: number, count: number): string {
  return count === 0 ? '-' : ms(value);
}

function age(value: number): string {
  const seconds = Math.floor(value / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
