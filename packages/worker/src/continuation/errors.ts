import { ownFiles } from './own-files.ts';
import type { Frame, FunctionDescription } from './frame.ts';

/** A capture passed through code that cannot be captured. Thrown at the await that received it. */
export class UnsafeContextError extends Error {
  override readonly name = 'UnsafeContextError';
  readonly code = 'SERVLET_UNSAFE_CONTEXT';
  /** The author's line to show: the await that received the capture, or else where it began; null if nobody knows. */
  readonly place: Place | null;
  constructor(signal: SignalTrace | null, received: Received | null, why?: string, options?: ErrorOptions) {
    super(unsafeContextMessage(signal, received, why), options);
    this.place = placeOf(signal, received);
  }
}

/** A place in the author's source; line and column count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
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
  const frame = signal?.frames?.find((f) => f.meta),
    from = received ?? (frame ? { meta: frame.meta!, at: frame.pc } : null);
  if (from) {
    const { line, column } = from.meta.awaits[from.at - 1] ?? from.meta;
    return { file: from.meta.file, line, column };
  }
  const raised = /\(?([^\s()]+):(\d+):(\d+)\)?$/.exec(authorLines(signal?.trace?.stack)[0] ?? '');
  return raised ? { file: raised[1]!, line: Number(raised[2]), column: Number(raised[3]) } : null;
}

/** Something that can go on only once was asked to go on again: a native call, or an iterator that cannot be rewound. */
export class OneShotError extends Error {
  override readonly name = 'OneShotError';
  readonly code = 'SERVLET_ONE_SHOT';
}

const reasons = {
  combinator: 'the awaited promise is made by a combinator, whose branches are native code',
  chained: 'the awaited promise is made by .then, .catch or .finally, not by the capturing call itself',
  iterator: 'an async iterator stands between; its frames are native code',
  call: "a function that is not compiled stands between (a library, a callback it was given, a generator, or code marked 'use native')",
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

/** The lines of a stack that are not the library's or Node's. */
function authorLines(stack: string | undefined): string[] {
  return (stack ?? '')
    .split('\n')
    .filter(
      (line) => /^ +at /.test(line) && !line.includes('node:') && !line.includes('<anonymous>') && !ownFiles.test(line),
    )
    .map((line) => line.replace(/^ +at (async )?/, '').replace('file://', ''));
}

/** What was captured, by whom it was called, which await received it, why that is wrong, and the way out. */
function unsafeContextMessage(signal: SignalTrace | null, received: Received | null, why?: string): string {
  const calls = (signal?.frames ?? []).filter((f) => f.meta).map((f) => describePlace(f.meta!, f.pc));
  const [raised, ...callers] = authorLines(signal?.trace?.stack);
  const kind = received?.meta.awaits[received.at - 1]?.kind ?? 'call';
  return [
    'Cannot capture a continuation in an unsafe context: ' + (why ?? reasons[kind]),
    `  captured at: ${raised ?? calls[0] ?? 'a place that was not recorded (for the next ones it will be)'}`,
    ...(calls.length ? [] : callers.map((c) => `  called from: ${c}`)),
    ...calls.map((c) => `  awaited by:  ${c}`),
    received ? `  received by: the await in ${describePlace(received.meta, received.at)}` : '  received by: no await',
    `  way out:     ${received ? waysOut[kind] : 'await the suspending call directly'}; or wrap the foreign call in native(...), which can be resumed once`,
  ].join('\n');
}
