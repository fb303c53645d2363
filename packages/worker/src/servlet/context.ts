import type { ContinuationManager, ExpirationHandler } from '../manager/manager.ts';
import type { ContinuationToken } from '@custodian/protocol';
import type { Html } from '../http/html.ts';
import type { ServletRequest } from '../http/request.ts';
import { createParameter, currentContext, NoPromptError, type Parameter } from '../continuation/runtime.ts';
import type { Captured, Resumable, Visit } from './instance.ts';
import type { WebCell } from './web-cell.ts';

/** What web cells hold on one page: never changed, so that a page can keep it. */
export type CellFrame = ReadonlyMap<WebCell<unknown>, unknown>;

/** Where an instance was born, and its number there. */
export type InstanceAddress = Pick<ContinuationToken, 'place' | 'instance'>;

/** A thread's way of keeping continuations. */
export interface ContinuationSite {
  readonly place: string;
  readonly manager: ContinuationManager;
  /** How the instance of that number in the manager is called in URLs. */
  addressOf(instance: number): InstanceAddress;
  /** Keeps a way to go on from what was captured, and returns its URL. @throws UnserializableError where it is written down */
  keep(captured: Captured, visit: Visit | null): string;
  /** The same for a form: where it is sent to, and the hidden field that it must have. */
  keepForForm(captured: Captured): { url: string; field: Html };
}

/** One request being answered: by a fresh run of the servlet, or by one that goes on. */
export class RequestContext {
  readonly request: ServletRequest;
  readonly site: ContinuationSite;
  /** 0: nothing was captured yet. */
  instance: number;
  cells: CellFrame;
  /** The run has unwound, and its page is being made: nothing can be captured now. */
  isMakingPage = false;
  /** What must be done before the page goes out; null: nothing. */
  writes: Promise<unknown>[] | null = null;
  /** What is still running belongs to no request any more. */
  isAnswered = false;
  /** What the run goes on from; null: it is a fresh one. */
  readonly resumed: Resumable | null;

  constructor(request: ServletRequest, site: ContinuationSite, resumed: Resumable | null, instance: number) {
    this.request = request;
    this.site = site;
    this.resumed = resumed;
    this.instance = instance;
    this.cells = resumed?.cells ?? NO_CELLS;
  }
}

export const NO_CELLS: CellFrame = new Map();

/** Answers for continuations that are captured while it is bound. @see Racket `current-servlet-continuation-expiration-handler` */
export const expirationHandler: Parameter<ExpirationHandler | null> = createParameter<ExpirationHandler | null>(null);

/** The request that is being answered here. @throws NoPromptError outside of a servlet's run */
export function contextFor(action: string): RequestContext {
  const context = currentContext<RequestContext>();
  if (context === undefined) throw new NoPromptError(`Cannot ${action}: no request is being answered here`);
  return context;
}

/** The same, for what only a run can do whose request waits for its answer. @throws NoPromptError for what a run has left behind */
export function runningContextFor(action: string): RequestContext {
  const context = contextFor(action);
  if (context.isAnswered) throw new NoPromptError(`Cannot ${action}: the request has been answered already`);
  return context;
}
