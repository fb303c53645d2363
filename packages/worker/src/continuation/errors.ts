import { pathToFileURL } from 'node:url';
import { ownFiles } from './own-files.ts';
import type { Frame, FunctionDescription } from './frame.ts';
import { stackText } from './trace.ts';
import { authorsCalls, pathOf, type Place, placeOfCall } from './stack-place.ts';

export type { Place } from './stack-place.ts';

/** A capture passed through code that cannot be captured. Thrown at the await that received it. */
export class UnsafeContextError extends Error {
  override readonly name = 'UnsafeContextError';
  readonly code = 'SERVLET_UNSAFE_CONTEXT';
  /** The author's line to show: the await that received the capture, or else the call that nobody awaits; null if nobody knows. */
  declare readonly place: Place | null;
  constructor(
    signal: SignalTrace | null,
    received: Received | null,
    why?: string,
    options: ErrorOptions & { wayOut?: string } = {},
  ) {
    const { wayOut, ...rest } = options;
    super(unsafeContextMessage(signal, received, why, wayOut), rest);
    setPlace(this, placeOf(signal, received));
    // What is on the stack is the runtime; its way there is in the message.
    const { file, line, column } = this.place ?? {};
    if (received) this.stack = `${this.name}: ${this.message}\n    at ${describePlace(received.meta, received.at)}`;
    else if (file !== undefined) this.stack = `${this.name}: ${this.message}\n    at ${file}:${line}:${column}`;
  }
}

interface SignalTrace {
  frames?: readonly Frame[];
  trace: Error | null;
}
interface Received {
  meta: FunctionDescription;
  at: number;
}

function placeOf(signal: SignalTrace | null, received: Received | null): Place | null {
  if (received) return placeOfAwait(received.meta, received.at);
  const frames = awaitingFrames(signal);
  // What nobody awaits is mended where it was called: below the calls that were awaited.
  const call = placeOfOwn(notAwaited(authorLines(stackText(signal?.trace)), frames));
  // A timer's callback, or what was called before the code had slept, has no caller on the stack.
  const outermost = frames.findLast((frame) => isAuthors(frame.meta!.file)) ?? frames.at(-1);
  return call ?? (outermost ? placeOfAwait(outermost.meta!, outermost.pc) : null);
}

function placeOfAwait(meta: FunctionDescription, at: number): Place {
  const { line, column } = meta.awaits[at - 1] ?? meta;
  return { file: meta.file, line, column };
}
const isAuthors = (file: string): boolean => !file.includes('/node_modules/');

/**
 * The calls below those that were awaited. A helper that only hands on a promise is on the stack and has no frame, so that they
 * can't be counted off.
 */
function notAwaited(calls: readonly string[], frames: readonly Frame[]): string[] {
  let below = 0;
  for (const { meta } of frames) {
    const at = calls.findIndex((call, i) => i >= below && isCallIn(meta!, call));
    if (at < 0) return [];
    below = at + 1;
  }
  return calls.slice(below);
}
const NAME_OF_CALL = /^(?:async )?([^ (]+)(?: \[as .*?\])? \(/;
const withoutClass = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** Whether a line of the stack is of this function. By what a function without a name was reached, its name does not tell. */
function isCallIn({ name, file }: FunctionDescription, call: string): boolean {
  if (fileOf(call) !== file) return false;
  return name === '<anonymous>' || withoutClass(NAME_OF_CALL.exec(call)?.[1] ?? '') === withoutClass(name);
}

/** Of the innermost call that is no package's. */
function placeOfOwn(calls: readonly string[]): Place | null {
  return calls.map(placeOfCall).find((each) => each !== null && isAuthors(each.file)) ?? null;
}

/** Of the calls that were awaited, innermost first. */
const awaitingFrames = (signal: SignalTrace | null): Frame[] => (signal?.frames ?? []).filter((frame) => frame.meta);

/** Something that can go on only once was asked to go on again: a native call, or an iterator that cannot be rewound. */
export class OneShotError extends Error {
  override readonly name = 'OneShotError';
  readonly code = 'SERVLET_ONE_SHOT';
  /** The author's line to show: where the native part was called; null: the stack has it, or nobody knows. */
  declare readonly place: Place | null;
  constructor(message: string, place: Place | null = null) {
    super(message);
    setPlace(this, place);
  }
}

/** For error pages alone: what prints an error, or sends it as JSON, does not show the author's paths. */
function setPlace(error: Error, place: Place | null): void {
  Object.defineProperty(error, 'place', { value: place, configurable: true });
}

/** `calledAt`: made where the native part was called. No code of the author's runs when it is resumed again. */
export function nativeOneShot(calledAt: Error | null): OneShotError {
  const calls = authorLines(stackText(calledAt));
  const error = new OneShotError(
    'Cannot resume the continuation: it holds a native part, which has been resumed already',
    placeOfOwn(calls),
  );
  error.stack = [`${error.name}: ${error.message}`, ...calls.map((call) => `    at ${call}`)].join('\n');
  return error;
}

/** Of an iterator, each item comes once. */
export function oneShot(loop: string, position: number): OneShotError {
  return new OneShotError(
    `Cannot resume inside ${loop} at item ${position}: another resumption has used the iterator since, and it cannot be rewound (iterate an array instead)`,
  );
}

const reasons = {
  combinator: 'the awaited promise is made by a combinator, whose branches are native code',
  chained: 'the awaited promise is made by .then, .catch or .finally, not by the capturing call itself',
  iterator: 'an async iterator stands between; its frames are native code',
  call: "a function that is not compiled stands between (a library, a callback it was given, a generator, or code with a direct eval or marked 'use native'), or one that hands on another promise (of .then, .catch or .finally)",
  value: 'the awaited promise is not the promise of the capturing call',
};
const waysOut = {
  combinator: 'ask one after the other: for (const x of xs) await ask(x)',
  chained: 'await the call itself, and use try/catch instead of .catch',
  iterator: 'collect the items first, then suspend in a for..of over the array',
  call: 'call the suspending function directly from compiled code, or use for..of instead of a callback',
  value: 'await the capturing call itself',
};

/** `name (file:line:column)` for the place where a frame waits. */
function describePlace(meta: FunctionDescription, at: number): string {
  const place = meta.awaits[at - 1] ?? meta;
  return `${meta.name} (${meta.file}:${place.line}:${place.column})`;
}

const URL_OF_FILE = /file:\/\/.*(?=:\d+:\d+\)?$)/;

/** What was on the stack where a capture began, innermost first, down to where the runtime had called the servlet. */
function calls(stack: string | undefined): string[] {
  const lines = (stack ?? '').split('\n').filter((line) => /^ +at /.test(line)),
    first = lines.findIndex((line) => !ownFiles.test(line)),
    end = lines.findIndex((line, i) => i > first && ownFiles.test(line));
  return authorsCalls(lines.slice(Math.max(first, 0), end < 0 ? undefined : end)).map((line) =>
    line
      .replace(/^ +at (async )?/, '')
      .replace(URL_OF_FILE, pathOf)
      .replace(/^anonymous /, '<anonymous> '),
  );
}
/** Code of the engine or of Node: a builtin, a timer, an event emitter. */
const isEngines = (call: string): boolean => !/[/\\][^/\\]*:\d+:\d+\)?$/.test(call) || call.includes('node:');
const fileOf = (call: string): string => placeOfCall(call)?.file ?? '';

function authorLines(stack: string | undefined): string[] {
  return calls(stack).filter((call) => !isEngines(call));
}

/** The innermost call that is not the author's: a library's function, a builtin that was given a callback, a timer. */
function foreignCall(stack: string | undefined, files: ReadonlySet<string>): string | undefined {
  const all = calls(stack),
    from = all.findIndex((call) => !isEngines(call)),
    own = new Set([...files, fileOf(all[from] ?? '')]);
  return all.slice(from + 1).find((call) => !turns.test(call) && (isEngines(call) || !own.has(fileOf(call))));
}
/** The engine's way of going on after an await, and of entering a context. */
const turns = /node:internal\/process\/|^new Promise |node:.*async_(?:hooks|local_storage|context)/;

/** The npm package that a call belongs to. */
const packageOf = (call: string): string | null =>
  /.*[/\\]node_modules[/\\]((?:@[^/\\]+[/\\])?[^/\\]+)[/\\]/.exec(call)?.[1]?.replace('\\', '/') ?? null;

/** The package of a foreign call is no way out if it is compiled already, or can't be: CommonJS, whose calls have paths and no URLs. */
function waysOutOf(first: string, foreign: string | undefined, stack: string): string {
  const library = foreign === undefined ? null : packageOf(foreign),
    isCompilable =
      foreign !== undefined &&
      library !== null &&
      !isToBeCompiled(foreign) &&
      stack.includes(pathToFileURL(fileOf(foreign)).href);
  return `${first}; ${isCompilable ? `or have the package compiled, by continuations: { transform: ['${library}'] } of the servlet's options; ` : ''}or wrap the foreign call in native(...), which can be resumed once`;
}

export const SUSPEND_FIRST = 'suspend before the call that leaves, and leave to the finally block what shows no page';

/** A finally block that runs for an exit has suspended: its request has its response, and no page can take that place. */
export function suspendedInExit(signal: SignalTrace, exit: unknown): UnsafeContextError {
  const frame = awaitingFrames(signal).find((each) => each.locals.includes(exit));
  return new UnsafeContextError(
    signal,
    frame ? { meta: frame.meta!, at: frame.pc } : null,
    'a finally block suspends that runs because the servlet leaves (by sendBack or sendFinish, say); its response is given, and no page can take its place',
    { wayOut: SUSPEND_FIRST },
  );
}

let compiledPackages: readonly string[] = [];
/** Which packages their user has had compiled: to these, there is another way out. `file:` URLs that end in a slash. */
export function setCompiledPackages(urls: readonly string[]): void {
  compiledPackages = urls.map(pathOf);
}
function isToBeCompiled(call: string): boolean {
  const file = fileOf(call);
  return compiledPackages.some((each) => file.startsWith(each) && !file.slice(each.length).includes('node_modules/'));
}

/** What was captured, by whom it was called, which await received it, why that is wrong, and the way out. */
function unsafeContextMessage(
  signal: SignalTrace | null,
  received: Received | null,
  why?: string,
  wayOut?: string,
): string {
  const frames = awaitingFrames(signal),
    awaiting = frames.map((f) => describePlace(f.meta!, f.pc)),
    stack = stackText(signal?.trace),
    lines = authorLines(stack),
    [raised] = lines,
    files = new Set(frames.map((f) => f.meta!.file));
  if (received) files.add(received.meta.file);
  const foreign = foreignCall(stack, files),
    kind = received?.meta.awaits[received.at - 1]?.kind ?? 'call',
    isExit = signal !== null && signal.frames === undefined,
    callers = received && awaiting.length ? [] : frames.length ? notAwaited(lines, frames) : lines.slice(1);
  return [
    `Cannot ${isExit ? 'leave the servlet' : 'capture a continuation'} in an unsafe context: ${why ?? reasons[kind]}`,
    `  ${isExit ? 'left at:    ' : 'captured at:'} ${raised ?? awaiting[0] ?? 'a place that was not recorded (for the next ones it will be)'}`,
    ...awaiting.map((c) => `  awaited by:  ${c}`),
    ...callers.filter((c) => c !== foreign).map((c) => `  called from: ${c}`),
    ...(foreign === undefined ? [] : [`  foreign:     ${foreign}`]),
    received ? `  received by: the await in ${describePlace(received.meta, received.at)}` : '  received by: no await',
    `  way out:     ${wayOut ?? waysOutOf(received === null ? 'await the suspending call directly' : waysOut[kind], foreign, stack)}`,
  ].join('\n');
}
