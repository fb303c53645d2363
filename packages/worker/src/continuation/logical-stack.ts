import { BindingFrame, type Frame } from './frame.ts';
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

/**
 * Adds to an error's stack the callers that only the continuation knows. What stands below the runtime's entry is whoever resumed,
 * and no caller of the author's code; a library that threw stays on top.
 */
export function addLogicalStack(error: unknown, frame: Frame | null): void {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return;
  const frames = describe(frame),
    lines = frames.slice(0, longestStack).map((f) => `    at async ${f.function} (${f.file}:${f.line}:${f.column})`);
  if (frames.length > longestStack) lines.push(`    ... ${frames.length - longestStack} more`);
  const stack = [...aboveEntry(error.stack.split('\n')), ...lines].join('\n');
  try {
    Object.defineProperty(error, 'stack', { value: stack, writable: true, configurable: true });
  } catch {
    /* a frozen error keeps the stack it has */
  }
}
