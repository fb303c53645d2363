import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { DeniedError } from './errors.ts';
import { pin } from './pin.ts';

/** Members of `process` that a guest gets as they are; functions keep the process as their `this`. */
const KEPT =
  'version versions arch platform release features config pid argv0 execPath env stdout stderr exit abort uptime hrtime nextTick ' +
  'memoryUsage cpuUsage threadCpuUsage resourceUsage constrainedMemory availableMemory cwd getuid geteuid getgid getegid sourceMapsEnabled';
/** Events of the process that a guest may listen to. */
const EVENTS = [
  'beforeExit',
  'exit',
  'multipleResolves',
  'rejectionHandled',
  'uncaughtException',
  'uncaughtExceptionMonitor',
  'unhandledRejection',
  'warning',
];
/** What reaches beyond the thread, closed on the process itself too, should a guest come by it. */
const CLOSED =
  'kill _kill _debugProcess _debugEnd _startProfilerIdleNotifier binding _linkedBinding dlopen execve loadEnvFile getBuiltinModule openStdin ' +
  '_getActiveHandles _getActiveRequests _rawDebug setUncaughtExceptionCaptureCallback addUncaughtExceptionCaptureCallback';

/**
 * The `process` of a guest: what is known to be harmless. Every other function throws SERVLET_DENIED, so that its
 * author learns why; every other value is missing.
 * @param builtin what `process.getBuiltinModule` gives
 */
export function guestProcess(builtin: (name: string) => unknown): object {
  const real = process;
  const guest = new EventEmitter();
  const members = guest as unknown as Record<string, unknown>;
  const kept = new Set(KEPT.split(' '));
  for (const key of Reflect.ownKeys(real) as (keyof NodeJS.Process & string)[]) {
    if (key in guest) continue;
    const value = kept.has(key) ? real[key] : typeof real[key] === 'function' ? denied(key) : undefined;
    if (value === undefined) continue;
    members[key] = typeof value === 'function' && kept.has(key) ? boundTo(real, value) : value;
  }
  Object.assign(guest, { title: 'servlet', argv: [], execArgv: [], exitCode: undefined, getBuiltinModule: builtin });
  Object.assign(guest, { emitWarning, umask: () => 0o22 });
  // The thread's own leads to the port of its supervisor.
  for (const each of [guest, real])
    Object.defineProperty(each, 'stdin', { get: () => Readable.from([]), configurable: true, enumerable: true });
  Object.defineProperty(guest, Symbol.toStringTag, { value: 'process', configurable: true });
  for (const event of EVENTS) forward(real, guest, event);
  close(real);
  return guest;
}

function boundTo(real: object, value: object): unknown {
  const bound = (value as () => unknown).bind(real) as unknown as Record<string, unknown>;
  // process.hrtime.bigint, process.memoryUsage.rss
  for (const [name, member] of Object.entries(value)) bound[name] = member;
  return bound;
}

function denied(name: string): () => never {
  return () => {
    throw new DeniedError(`Cannot call process.${name}: a guest may not`);
  };
}

/** The process has its own listener only as long as the guest has one. */
function forward(real: NodeJS.Process, guest: EventEmitter, event: string): void {
  const pass = (...values: unknown[]): void => void guest.emit(event, ...values);
  guest.on('newListener', (name) => {
    if (name === event && guest.listenerCount(event) === 0) real.on(event, pass);
  });
  guest.on('removeListener', (name) => {
    if (name === event && guest.listenerCount(event) === 0) real.off(event, pass);
  });
}

function emitWarning(warning: unknown, options?: unknown): void {
  const type = typeof options === 'string' ? options : (options as { type?: string } | undefined)?.type;
  const text =
    warning instanceof Error ? `${warning.name}: ${warning.message}` : `${type ?? 'Warning'}: ${String(warning)}`;
  console.warn(text);
}

function close(real: NodeJS.Process): void {
  for (const name of CLOSED.split(' '))
    if (name in real) Object.defineProperty(real, name, { value: denied(name), configurable: false, writable: false });
  Object.defineProperty(real, 'report', { value: undefined, configurable: false, writable: false });
  Reflect.deleteProperty(real, 'mainModule');
  pin(real);
}
