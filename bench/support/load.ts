import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What a load generator saw in one round. */
export interface Load {
  requestsPerSecond: number;
  p50Micros: number;
  p99Micros: number;
  /** Answers that are no success, and connections that broke. */
  errors: number;
}

export interface LoadOptions {
  connections: number;
  seconds: number;
  /** A connection per request. */
  isClosing?: boolean;
  /** Pins the generator to that core. */
  core?: number | null;
}

/** wrk where it is installed, else autocannon, whose latencies are whole milliseconds. */
export const loadTool: 'wrk' | 'autocannon' = hasCommand('wrk') ? 'wrk' : 'autocannon';

/** Requests `url` as fast as it answers. */
export async function load(url: string, options: LoadOptions): Promise<Load> {
  const { connections, seconds, isClosing = false, core = null } = options;
  const closing = isClosing ? ['-H', 'Connection: close'] : [];
  const common = ['-c', String(connections), '-d'];
  const command =
    loadTool === 'wrk'
      ? ['wrk', '--latency', '-t', '1', ...common, `${seconds}s`, ...closing, url]
      : [
          process.execPath,
          fileURLToPath(import.meta.resolve('autocannon')),
          '--json',
          ...common,
          String(seconds),
          ...closing,
          url,
        ];
  const [program, ...args] = core === null ? command : ['taskset', '-c', String(core), ...command];
  const { stdout } = await promisify(execFile)(program as string, args);
  return loadTool === 'wrk' ? fromWrk(stdout) : fromAutocannon(stdout);
}

const MICROS: Record<string, number> = { us: 1, ms: 1000, s: 1_000_000 };

function fromWrk(text: string): Load {
  const micros = (share: string): number => {
    const [, value, unit] = new RegExp(`${share}%\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? [];
    return Number(value) * (MICROS[unit ?? ''] ?? NaN);
  };
  let errors = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  for (const count of /Socket errors: (.*)/.exec(text)?.[1]?.match(/\d+/g) ?? []) errors += Number(count);
  return {
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p50Micros: micros('50'),
    p99Micros: micros('99'),
    errors,
  };
}

function fromAutocannon(text: string): Load {
  const result = JSON.parse(text) as {
    requests: { average: number };
    latency: { p50: number; p99: number };
    non2xx: number;
    errors: number;
  };
  return {
    requestsPerSecond: result.requests.average,
    p50Micros: result.latency.p50 * 1000,
    p99Micros: result.latency.p99 * 1000,
    errors: result.non2xx + result.errors,
  };
}

export function hasCommand(name: string): boolean {
  try {
    execFileSync('which', [name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
