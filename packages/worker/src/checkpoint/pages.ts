import { types } from 'node:util';
import { bindingsAt } from '../continuation/frame.ts';
import { Continuation, SharedWeights } from '../continuation/runtime.ts';
import { DecodeError, UnserializableError } from '../continuation/serialize/errors.ts';
import { isFrame } from '../continuation/serialize/frame-kinds.ts';
import { decodeGraph, encodeGraph } from '../continuation/serialize/graph.ts';
import type { ExpirationHandler, SavedEntry } from '../manager/manager.ts';
import { type CellFrame, NO_CELLS } from '../servlet/context.ts';
import { Suspension, type Visit, weightOf } from '../servlet/instance.ts';
import type { CheckpointHead } from './record.ts';

const ROOTS = ['a call', 'a web cell', 'the embedded function', 'the expiration handler'] as const;

/** All pages of an instance as one graph: what they share, frames and objects, they share when they are read again. @throws UnserializableError */
export function encodePages(entries: readonly SavedEntry[]): Uint8Array {
  const roots: unknown[] = [];
  const names: string[] = [];
  for (const { k, handler } of entries) {
    const { continuation, cells, visit } = k as Suspension;
    if (continuation.parked !== null) throw nativePart();
    roots.push(continuation.frames, cells.size === 0 ? null : cells, visit, handler);
    names.push(...ROOTS);
  }
  return encodeGraph(roots, names);
}

/** Which of them can't be written, and why. */
export function unserializable(entries: readonly SavedEntry[]): Map<number, string> {
  const failing = new Map<number, string>();
  for (const entry of entries) {
    try {
      encodePages([entry]);
    } catch (error) {
      if (!(error instanceof UnserializableError)) throw error;
      failing.set(entry.id, error.message);
    }
  }
  return failing;
}

/** @throws CodeChangedError, DecodeError */
export function decodePages(graph: Uint8Array, pages: CheckpointHead['pages']): SavedEntry[] {
  const roots = decodeGraph(graph);
  if (roots.length !== pages.length * ROOTS.length)
    throw new DecodeError('Cannot read a checkpoint: it has other pages');
  const shared = new SharedWeights();
  return pages.map(([id, nonce, mark], index) => {
    const [frames, cells, visit, handler] = roots.slice(index * ROOTS.length, (index + 1) * ROOTS.length);
    if (
      !(frames === null || isFrame(frames)) ||
      !(cells === null || types.isMap(cells)) ||
      !(visit === null || typeof visit === 'function') ||
      !(handler === null || typeof handler === 'function')
    )
      throw new DecodeError('Cannot read a checkpoint: a page of it is something else');
    const continuation = new Continuation(frames, bindingsAt(frames), null);
    const cellFrame = (cells as CellFrame | null) ?? NO_CELLS;
    const weight = weightOf(continuation, cellFrame, shared);
    const k = new Suspension(continuation, cellFrame, visit as Visit | null, weight);
    return { id, nonce, mark, k, handler: handler as ExpirationHandler | null, bytes: k.hold() };
  });
}

function nativePart(): UnserializableError {
  return new UnserializableError(
    'Cannot save the page: a native part waits in it, which only this process can resume',
    'a native part',
    'a native part',
    null,
  );
}
