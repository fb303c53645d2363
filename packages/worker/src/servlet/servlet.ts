import type { Persistence, ServletLimits } from '@custodian/protocol';
import type { ContinuationManager } from '../manager/manager.ts';
import type { Saved } from '../continuation/serialize/saved.ts';
import type { ServletRequest } from '../http/request.ts';
import type { SealOptions } from '../stuffer/seal-stuffer.ts';
import type { Stuffer } from '../stuffer/stuffer.ts';

/** A loaded servlet: what the author's module comes to, whichever way it was written. */
export interface Servlet {
  /** `servlet`: a function of a {@link ServletRequest}. `fetch`: an object with the Fetch standard's handler. */
  kind: 'servlet' | 'fetch';
  /** The author's own limits; they only tighten the operator's. */
  limits: ServletLimits;
  /** Bodies of forms are not read before it is called: it has them as they arrive. */
  takesRawBody: boolean;
  /** Where visitors start again whose page has expired. Default: the path that they asked for. */
  startUrl?: string | undefined;
  /** What keeps its continuations; it has none in most servlets. */
  manager?: ContinuationManager | undefined;
  /** How its pages outlive the thread; null: they don't. */
  persistence: Persistence | null;
  /** How a stateless servlet's pages are written down; default: {@link createDefaultStuffer} of `sealing`. */
  stuffer?: Stuffer<Saved, Uint8Array> | undefined;
  /** Whom its sealed pages are for, and how long. */
  sealing?: SealOptions | undefined;
  /** Are a form's fields read before it is called? Absent: if it is a function, and takes no raw bodies. */
  readsForm?(target: string): boolean;
  /** Answers one request; the result is for `toReply`. May return a promise; may throw. */
  handle(request: ServletRequest): unknown;
  /** Nobody waits for that request's answer any more. Only where a thread runs several side by side. */
  giveUp?(request: ServletRequest): void;
}
