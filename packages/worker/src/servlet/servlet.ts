import type { ServletLimits } from '@custodian/protocol';
import type { ServletRequest } from '../http/request.ts';

/** A loaded servlet: what the author's module comes to, whichever way it was written. */
export interface Servlet {
  /** `servlet`: a function of a {@link ServletRequest}. `fetch`: an object with the Fetch standard's handler. */
  kind: 'servlet' | 'fetch';
  /** The author's own limits; they only tighten the operator's. */
  limits: ServletLimits;
  /** Answers one request; the result is for `toReply`. May return a promise; may throw. */
  handle(request: ServletRequest): unknown;
}
