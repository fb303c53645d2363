import { types } from 'node:util';
import { bindingsAt } from '../frame.ts';
import { Continuation } from '../continuation.ts';
import type { CellFrame } from '../../servlet/context.ts';
import type { Visit } from '../../servlet/instance.ts';
import type { WebCell } from '../../servlet/web-cell.ts';
import { DecodeError, UnserializableError } from './errors.ts';
import { isFrame } from './frame-kinds.ts';
import { decodeGraph, encodeGraph } from './graph.ts';

/** All that is needed to go on from a page, in any process that has loaded the servlet. */
export interface Saved {
  readonly continuation: Continuation;
  readonly cells: CellFrame;
  /** The function that the page embedded; null: the suspending call returns the request. */
  readonly visit: Visit | null;
}

const ROOTS = ['a call', 'a web cell', 'the embedded function'];

/** @throws UnserializableError, which names the variable, the path inside its value, and the suspension */
export function encode({ continuation, cells, visit }: Saved): Uint8Array {
  if (continuation.parked !== null)
    throw new UnserializableError(
      'Cannot save the page: a native part waits in it, which only this process can resume',
      'a native part',
      'a native part',
      null,
    );
  return encodeGraph([continuation.frames, cells.size === 0 ? null : cells, visit], ROOTS);
}

/**
 * What {@link encode} was given, made anew: each call gives values of its own. Bytes that were not authenticated must not come here.
 * @throws CodeChangedError, DecodeError
 */
export function decode(bytes: Uint8Array): Saved {
  const [frames, cells, visit, ...more] = decodeGraph(bytes);
  if (
    !(frames === null || isFrame(frames)) ||
    !(cells === null || types.isMap(cells)) ||
    !(visit === null || typeof visit === 'function') ||
    more.length > 0
  )
    throw new DecodeError('Cannot decode a continuation: it is something else');
  return {
    continuation: new Continuation(frames, bindingsAt(frames), null),
    cells: (cells as Map<WebCell<unknown>, unknown> | null) ?? new Map(),
    visit: visit as Visit | null,
  };
}
