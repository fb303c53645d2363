import type { ServletRequest } from '../http/request.ts';
import type { ExpirationHandler } from '../manager/manager.ts';
import { type Continuation, PageWeight, SharedWeights } from '../continuation/runtime.ts';
import { withoutToken, withToken } from '@custodian/protocol';
import type { CellFrame, RequestContext } from './context.ts';

/** Continues a page with the visitor's answer: what `sendSuspendDispatch` embeds in it. */
export type Visit = (request: ServletRequest) => unknown;

/** What a request goes on from: kept here, or read from the page itself. */
export interface Resumable {
  readonly continuation: Continuation;
  readonly cells: CellFrame;
  /** null: the suspending call returns the request itself. */
  readonly visit: Visit | null;
  /** Of what is kept. */
  readonly weight?: PageWeight;
}

/** What a manager keeps of a page, for one way on from it. */
export class Suspension implements Resumable {
  readonly continuation: Continuation;
  readonly cells: CellFrame;
  readonly visit: Visit | null;
  /** Of the page, whatever ways on it has. */
  readonly weight: PageWeight;

  constructor(continuation: Continuation, cells: CellFrame, visit: Visit | null, weight: PageWeight) {
    this.continuation = continuation;
    this.cells = cells;
    this.visit = visit;
    this.weight = weight;
  }

  /** Keeps it. @returns about how many bytes more are in use */
  hold(): number {
    return ENTRY_BYTES + this.weight.hold();
  }

  /** It is kept no more. @returns about how many bytes are in use no more */
  release(): number {
    return ENTRY_BYTES + this.weight.release();
  }
}

/** What its values weigh, with those of the other pages of a visit. */
export function weightOf(continuation: Continuation, cells: CellFrame, shared: SharedWeights): PageWeight {
  return new PageWeight(continuation.frames, cells.size === 0 ? [] : cells.values(), shared);
}

/** A place in the manager, its token in the URL, and the cells. */
const ENTRY_BYTES = 320;

/** What was captured, before anything is kept of it. */
export interface Captured {
  context: RequestContext;
  continuation: Continuation;
  cells: CellFrame;
  handler: ExpirationHandler | null;
  /** Made with the first way on that the page embeds, which is charged for it. */
  weight: PageWeight | null;
}

/** Keeps a way to go on from what was captured, and returns its URL. A run gets its instance here, with its first. */
export function keepInManager(captured: Captured, visit: Visit | null): string {
  const { context, continuation, cells, handler } = captured;
  const { manager } = context.site;
  // It may have expired while it ran.
  if (context.instance === 0 || !manager.hasInstance(context.instance)) context.instance = manager.createInstance();
  captured.weight ??= weightOf(continuation, cells, context.resumed?.weight?.shared ?? new SharedWeights());
  const suspension = new Suspension(continuation, cells, visit, captured.weight);
  const [id, nonce] = manager.store(context.instance, suspension, handler, suspension.hold());
  const address = context.site.addressOf(context.instance);
  return withToken(baseOf(context.request), { ...address, continuation: id, nonce });
}

/** The path of the present request: every suspension goes on from where its visitor is. */
export function baseOf(request: ServletRequest): string {
  // `//elsewhere` would be another host.
  return withoutToken(request.path).replace(/^[/\\]+/, '/');
}

/** Lets the requests of one instance go one after another, where a thread runs several side by side. */
export class InstanceTurns {
  readonly #tails = new Map<number, Promise<unknown>>();
  /** Requests that have not had their turn yet. */
  readonly #waiting = new Set<ServletRequest>();

  /** @throws AbandonedError, rejecting, when the request was given up before its turn came */
  async run<Result>(instance: number, request: ServletRequest, body: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(instance);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tails.set(instance, promise);
    try {
      if (before !== undefined) {
        this.#waiting.add(request);
        await before;
        if (!this.#waiting.delete(request)) throw new AbandonedError();
      }
      return await body();
    } finally {
      if (this.#tails.get(instance) === promise) this.#tails.delete(instance);
      resolve();
    }
  }

  /** Nobody waits for that request's answer any more: if it has not begun, it never will. */
  giveUp(request: ServletRequest): void {
    this.#waiting.delete(request);
  }
}

/** A request was answered, or its client went, while it waited for the one before it. Nobody is told: nobody waits. */
export class AbandonedError extends Error {
  override readonly name = 'AbandonedError';
  constructor() {
    super('Cannot go on from a page: its request was given up before its turn came');
  }
}
