import type { ServletRequest } from '../http/request.ts';
import type { ExpirationHandler } from '../manager/manager.ts';
import { type Continuation, estimateBytes, type Frame } from '../continuation/runtime.ts';
import { withoutToken, withToken } from '@custodian/protocol';
import { type CellFrame, type RequestContext } from './context.ts';

/** Continues a page with the visitor's answer: what `sendSuspendDispatch` embeds in it. */
export type Visit = (request: ServletRequest) => unknown;

/** What a manager keeps of a page. */
export interface Suspension {
  readonly continuation: Continuation;
  readonly cells: CellFrame;
  /** null: the suspending call returns the request itself. */
  readonly visit: Visit | null;
}

/** A place in the manager, its token in the URL, and the cells. */
const ENTRY_BYTES = 320;

/** What was captured, before anything is kept of it. */
export interface Captured {
  context: RequestContext;
  continuation: Continuation;
  cells: CellFrame;
  handler: ExpirationHandler | null;
  /** The frames have been charged for. */
  isCharged: boolean;
}

/** Keeps a way to go on from what was captured, and returns its URL. A run gets its instance here, with its first. */
export function keepInManager(captured: Captured, visit: Visit | null): string {
  const { context, continuation, cells, handler } = captured;
  const { manager, place } = context.site;
  // It may have expired while it ran.
  if (context.instance === 0 || !manager.hasInstance(context.instance)) context.instance = manager.createInstance();
  let bytes = ENTRY_BYTES;
  if (!captured.isCharged) {
    captured.isCharged = true;
    bytes += estimateBytes(continuation.frames, tailOf(context.resumed));
  }
  const suspension: Suspension = { continuation, cells, visit };
  const [id, nonce] = manager.store(context.instance, suspension, handler, bytes);
  return withToken(baseOf(context.request), { place, instance: context.instance, continuation: id, nonce });
}

/** The path of the present request: every suspension goes on from where its visitor is. */
export function baseOf(request: ServletRequest): string {
  // `//elsewhere` would be another host.
  return withoutToken(request.path).replace(/^[/\\]+/, '/');
}

const NO_FRAMES: { has(frame: Frame): boolean } = { has: () => false };

/** The frames of the continuation that this run came from: they were charged with it. */
function tailOf(resumed: Continuation | null): { has(frame: Frame): boolean } {
  if (resumed?.frames == null) return NO_FRAMES;
  const frames = new Set<Frame>();
  for (let frame: Frame | null = resumed.frames; frame !== null; frame = frame.next) frames.add(frame);
  return frames;
}

/** Lets the requests of one instance go one after another, where a thread runs several side by side. */
export class InstanceTurns {
  readonly #tails = new Map<number, Promise<unknown>>();

  run<Result>(instance: number, body: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(instance);
    const running = before === undefined ? body() : before.then(body, body);
    this.#tails.set(instance, running);
    const over = (): void => {
      if (this.#tails.get(instance) === running) this.#tails.delete(instance);
    };
    running.then(over, over);
    return running;
  }
}
