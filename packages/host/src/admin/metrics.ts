import { DURATION_BOUNDS_MS } from '../cell/ledger.ts';
import type { HostSnapshot, ServletSnapshot } from './snapshot.ts';

export const METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number];

/** The snapshot in OpenMetrics' text form. @see https://github.com/prometheus/OpenMetrics, version 1.0 */
export function renderMetrics(snapshot: HostSnapshot): string {
  const { servlets, cells } = snapshot;
  const ofEach = (value: (servlet: ServletSnapshot) => number): Sample[] =>
    servlets.map((servlet) => [{ servlet: servlet.name }, value(servlet)]);
  const families = [
    counter(
      'custodian_requests',
      'Requests answered.',
      ofEach((servlet) => servlet.account.requests),
    ),
    counter(
      'custodian_failures',
      'Requests answered with a 5xx status.',
      ofEach((servlet) => servlet.account.failures),
    ),
    counter(
      'custodian_cpu_seconds',
      'CPU time of requests.',
      ofEach((servlet) => servlet.account.cpuMs / 1000),
      'seconds',
    ),
    counter(
      'custodian_thread_cpu_seconds',
      'CPU time of threads, read from outside of them: starts, requests, and what is left behind.',
      ofEach((servlet) => servlet.account.threadCpuMs / 1000),
      'seconds',
    ),
    counter(
      'custodian_wall_seconds',
      'Time of requests in their threads.',
      ofEach((servlet) => servlet.account.wallMs / 1000),
      'seconds',
    ),
    counter(
      'custodian_request_bytes',
      'Bytes of bodies received.',
      ofEach((servlet) => servlet.account.bytesIn),
      'bytes',
    ),
    counter(
      'custodian_response_bytes',
      'Bytes of responses sent.',
      ofEach((servlet) => servlet.account.bytesOut),
      'bytes',
    ),
    counter(
      'custodian_deaths',
      'Threads and cells that died, by cause.',
      servlets.flatMap(({ name, account }) =>
        Object.entries(account.deaths).map(([cause, count]): Sample => [{ servlet: name, cause }, count]),
      ),
    ),
    counter(
      'custodian_fetches',
      'What guests had fetched for them.',
      ofEach((servlet) => servlet.account.fetches),
    ),
    counter(
      'custodian_fetch_failures',
      'Fetches of guests that failed or were refused.',
      ofEach((servlet) => servlet.account.fetchFailures),
    ),
    counter(
      'custodian_fetch_sent_bytes',
      'Bytes of bodies that guests sent by fetch.',
      ofEach((servlet) => servlet.account.fetchBytesOut),
      'bytes',
    ),
    counter(
      'custodian_fetch_received_bytes',
      'Bytes of bodies that guests got by fetch, as they were on the wire.',
      ofEach((servlet) => servlet.account.fetchBytesIn),
      'bytes',
    ),
    durations(servlets),
    gauge(
      'custodian_servlet_state',
      'The state that a servlet is in has the value 1.',
      servlets.flatMap(({ name, state }) =>
        ['idle', 'starting', 'ready', 'benched'].map((each): Sample => [
          { servlet: name, state: each },
          each === state ? 1 : 0,
        ]),
      ),
    ),
    gauge(
      'custodian_threads',
      'Threads.',
      ofEach((servlet) => servlet.threads),
    ),
    gauge(
      'custodian_queued_requests',
      'Requests that wait for a thread.',
      ofEach((servlet) => servlet.queued),
    ),
    gauge(
      'custodian_heap_bytes',
      'V8 heap of the threads.',
      ofEach((servlet) => sum(servlet, 'heapBytes')),
      'bytes',
    ),
    gauge(
      'custodian_off_heap_bytes',
      'Memory of the threads outside of the V8 heap.',
      ofEach((servlet) => sum(servlet, 'offHeapBytes')),
      'bytes',
    ),
    gauge(
      'custodian_unexplained_bytes',
      'Resident memory of the threads that no statistics show, as far as it is known whose it is.',
      ofEach((servlet) => sum(servlet, 'unexplainedBytes')),
      'bytes',
    ),
    gauge(
      'custodian_heap_max_bytes',
      'Caps of the threads on heap and off-heap memory together.',
      ofEach((servlet) => sum(servlet, 'heapMaxBytes')),
      'bytes',
    ),
    gauge(
      'custodian_continuations',
      'Continuations that are held.',
      ofEach((servlet) => servlet.continuations),
    ),
    gauge(
      'custodian_continuation_bytes',
      'What they weigh, about.',
      ofEach((servlet) => servlet.continuationBytes),
      'bytes',
    ),
    gauge(
      'custodian_cell_resident_bytes',
      'Resident memory of a cell.',
      cells.map((cell): Sample => [{ cell: cell.number, pid: cell.pid }, cell.rssBytes]),
      'bytes',
    ),
    gauge(
      'custodian_cell_resident_max_bytes',
      'Resident memory that a cell is killed above.',
      cells.map((cell): Sample => [{ cell: cell.number, pid: cell.pid }, cell.rssMaxBytes]),
      'bytes',
    ),
    counter(
      'custodian_cell_sampling_cpu_seconds',
      'CPU time that the supervisor of a cell has spent, but for starting itself and its threads.',
      cells.map((cell): Sample => [{ cell: cell.number, pid: cell.pid }, cell.samplingMs / 1000]),
      'seconds',
    ),
    gauge('custodian_resident_bytes', 'Resident memory of the acceptor.', [[{}, snapshot.rssBytes]], 'bytes'),
    gauge('custodian_reserved_bytes', 'Memory promised to threads.', [[{}, snapshot.reservedBytes]], 'bytes'),
    gauge('custodian_budget_bytes', 'Memory that may be promised to threads.', [[{}, snapshot.budgetBytes]], 'bytes'),
    gauge('custodian_connections', 'Open connections.', [[{}, snapshot.connections]]),
    counter(
      'custodian_refusals',
      'Requests that the host itself answered, by code.',
      Object.entries(snapshot.refusals).map(([code, count]): Sample => [{ code }, count]),
    ),
  ];
  return `${families.join('')}# EOF\n`;
}

function counter(name: string, help: string, samples: readonly Sample[], unit?: string): string {
  return head(name, 'counter', help, unit) + samples.map((sample) => line(`${name}_total`, ...sample)).join('');
}

function gauge(name: string, help: string, samples: readonly Sample[], unit?: string): string {
  return head(name, 'gauge', help, unit) + samples.map((sample) => line(name, ...sample)).join('');
}

function durations(servlets: readonly ServletSnapshot[]): string {
  const name = 'custodian_request_duration_seconds';
  let text = head(name, 'histogram', 'From the arrival of a request to the last byte of its answer.', 'seconds');
  for (const { name: servlet, account } of servlets) {
    let count = 0;
    account.durationCounts.forEach((each, index) => {
      count += each;
      const bound = DURATION_BOUNDS_MS[index];
      text += line(`${name}_bucket`, { servlet, le: bound === undefined ? '+Inf' : canonical(bound / 1000) }, count);
    });
    text += line(`${name}_count`, { servlet }, count);
    text += line(`${name}_sum`, { servlet }, account.totalMs / 1000);
  }
  return text;
}

/** As OpenMetrics writes the bounds of histograms: whole numbers with a point. */
function canonical(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function head(name: string, type: string, help: string, unit: string | undefined): string {
  return `# TYPE ${name} ${type}\n${unit === undefined ? '' : `# UNIT ${name} ${unit}\n`}# HELP ${name} ${help}\n`;
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(String(text))}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value === Infinity ? '+Inf' : value}\n`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function sum(
  servlet: ServletSnapshot,
  key: 'heapBytes' | 'offHeapBytes' | 'unexplainedBytes' | 'heapMaxBytes',
): number {
  return servlet.threadList.reduce((bytes, thread) => bytes + thread[key], 0);
}
