import { BindingFrame, type Frame } from './frame.ts';
import { ownFiles } from './own-files.ts';
import { aboveEntry } from './stack-place.ts';
import { unset } from './support.ts';

export interface FrameDescription {
  function: string;
  file: string;
  line: number;
  column: number;
  locals: Record<string, unknown>;
}

/** The frames from `frame` outwards, readable: the function, where it waits, and what it keeps. */
export function describe(frame: Frame | null): FrameDescription[] {
  const out: FrameDescription[] = [];
  for (let f = frame; f; f = f.next) {
    if (f instanceof BindingFrame || !f.meta) continue;
    const { meta } = f,
      site = meta.awaits[f.pc - 1]!,
      locals: Record<string, unknown> = {};
    // Names that begin with $ are the compiler's temporaries.
    site.live.forEach((slot, i) => {
      const name = meta.variables[slot]!;
      const value = meta.boxes.includes(slot) ? (f.locals[i] as { v: unknown }).v : f.locals[i];
      if (!name.startsWith('$') && value !== unset) locals[name] = value;
    });
    out.push({ function: meta.name, file: meta.file, line: site.line, column: site.column, locals });
  }
  return out;
}

const longestStack = 50;

/** Where the runtime called the servlet: there the stack itself has all callers. */
const rootCall = /^ +at (?:async )?settleRoot /;
const longestChain = 5;

/** Who would be on the stack of an error, natively. Lines, and no frames: who keeps an error would keep their values. */
const callersOf: WeakMap<Error, readonly string[]> = new WeakMap();

/** The frames that a resumption goes through, as callers of what is thrown out of one. */
export class Callers {
  /** From where they were counted last: they are as many as there are authors' frames from there outwards. */
  #from: Frame | null | undefined;
  #count = 0;

  /**
   * Something was thrown out of a frame that the runtime had re-entered. Only now are all callers known: when it reaches the root, some
   * may have suspended once more, in a `finally` block say, and be gone from the continuation.
   * @param callers who called the frame: outwards of those of the calls before
   */
  left(error: unknown, callers: Frame | null): void {
    if (error instanceof Error && !callersOf.has(error))
      callersOf.set(error, linesOf(callers, this.#countFrom(callers)));
  }

  /** Where each frame throws an error of its own, counting all of them each time would take seconds where they are thousands. */
  #countFrom(callers: Frame | null): number {
    if (this.#from === undefined) for (let f = callers; f; f = f.next) this.#count += hasLine(f) ? 1 : 0;
    else for (let f = this.#from; f && f !== callers; f = f.next) this.#count -= hasLine(f) ? 1 : 0;
    this.#from = callers;
    return this.#count;
  }
}

const hasLine = (frame: Frame): boolean => !(frame instanceof BindingFrame) && frame.meta !== null;

function linesOf(frames: Frame | null, count: number): string[] {
  const lines: string[] = [];
  for (let f = frames; f && lines.length < longestStack; f = f.next) {
    if (!hasLine(f)) continue;
    const { name, file, awaits } = f.meta!,
      { line, column } = awaits[f.pc - 1]!;
    lines.push(`    at async ${name} (${file}:${line}:${column})`);
  }
  if (count > lines.length) lines.push(`    ... ${count - lines.length} more`);
  return lines;
}

/**
 * Adds to the stacks of an error and of its causes the callers that only the continuation knew. What stands below the runtime's entry
 * is whoever resumed, and no caller of the author's code; a library that threw stays on top.
 */
export function addLogicalStack(error: unknown): void {
  let callers: readonly string[] = [],
    each = error;
  for (let depth = 0; depth < longestChain && each instanceof Error; depth++, each = each.cause) {
    const own = callersOf.get(each);
    // A cause that was caught in the frame where it arose has that frame's callers.
    callers = own ?? callers;
    addCallers(each, callers, own !== undefined);
    // It may be thrown again, by another resumption of the same page.
    callersOf.set(each, []);
  }
}

function addCallers(error: Error, callers: readonly string[], isOwn: boolean): void {
  if (typeof error.stack !== 'string') return;
  const physical = error.stack.split('\n'),
    above = aboveEntry(physical);
  if (above === physical && !isOwn) return;
  if (physical.some((line) => ownFiles.test(line) && rootCall.test(line))) return;
  const value = [...above, ...callers].join('\n');
  try {
    Object.defineProperty(error, 'stack', { value, writable: true, configurable: true });
  } catch {
    /* a frozen error keeps the stack it has */
  }
}
