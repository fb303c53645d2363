import { readToken, type ContinuationToken, type ServletLimits } from '@custodian/protocol';
import {
  Continuation,
  deliver,
  Frame,
  type Outcome,
  prompt,
  resume,
  settleUnhandled,
} from '../continuation/runtime.ts';
import { html, type Html } from '../http/html.ts';
import { PreparedReply, type Reply, toReply } from '../http/reply.ts';
import type { ServletRequest } from '../http/request.ts';
import { type ContinuationManager, NoContinuationError, NoInstanceError } from '../manager/manager.ts';
import { type CellFrame, type ContinuationSite, RequestContext } from './context.ts';
import { expiredPage } from './visitor-pages.ts';
import { baseOf, type Captured, InstanceTurns, keepInManager, type Suspension, type Visit } from './instance.ts';
import { Jump } from './jump.ts';
import type { NativeVisit } from './send.ts';
import type { Servlet } from './servlet.ts';

const NO_CELLS: CellFrame = new Map();

/** A servlet whose pages may hold the rest of its run. */
export class ContinuationServlet implements Servlet, ContinuationSite {
  readonly kind: Servlet['kind'];
  readonly limits: ServletLimits;
  readonly takesRawBody: boolean;
  readonly startUrl: string | undefined;
  readonly persistence: Servlet['persistence'];
  readonly place: string;
  readonly manager: ContinuationManager;
  readonly #servlet: Servlet;
  readonly #name: string;
  readonly #turns = new InstanceTurns();

  /** `place`: where the thread stands, for its URLs. `name`: for messages. */
  constructor(servlet: Servlet, manager: ContinuationManager, { place, name }: { place: string; name: string }) {
    this.kind = servlet.kind;
    this.limits = servlet.limits;
    this.takesRawBody = servlet.takesRawBody;
    this.startUrl = servlet.startUrl;
    this.persistence = servlet.persistence;
    this.manager = manager;
    this.place = place;
    this.#servlet = servlet;
    this.#name = name;
  }

  handle(request: ServletRequest): Promise<Reply> {
    const token = readToken(request.url);
    if (token === null) return this.start(request, (fresh) => this.#servlet.handle(fresh));
    return this.#turns.run(token.instance, () => this.#goOn(request, token));
  }

  keep(captured: Captured, visit: Visit | null): string {
    return keepInManager(captured, visit);
  }

  keepForForm(captured: Captured): { url: string; field: Html } {
    // Who holds it is found by the URL: it must be there.
    return { url: this.keep(captured, null), field: html`` };
  }

  protected async start(request: ServletRequest, run: (request: ServletRequest) => unknown): Promise<Reply> {
    const context = new RequestContext(request, this, 0, NO_CELLS);
    return this.#answer(await prompt(() => run(request), context), context);
  }

  #goOn(request: ServletRequest, token: ContinuationToken): Promise<Reply> {
    let suspension: Suspension;
    try {
      if (token.place !== this.place) throw new NoInstanceError(token.instance, this.manager.onExpired);
      suspension = this.manager.lookup(token.instance, token.continuation, token.nonce) as Suspension;
    } catch (error) {
      if (!(error instanceof NoInstanceError) && !(error instanceof NoContinuationError)) throw error;
      const { handler } = error;
      return this.start(request, handler ?? (() => expiredPage(this.startUrl ?? baseOf(request))));
    }
    return this.resume(request, suspension, token.instance);
  }

  /** Goes on from what was kept. `instance` 0: it belongs to none yet. */
  protected async resume(request: ServletRequest, suspension: Suspension, instance: number): Promise<Reply> {
    const { continuation, cells, visit } = suspension;
    const context = new RequestContext(request, this, instance, cells);
    context.resumed = continuation;
    if (visit === null) return this.#answer(await resume(continuation, request, { context }), context);
    if (continuation.parked !== null) {
      const answered: NativeVisit = { visit, request };
      return this.#answer(await resume(continuation, answered, { context }), context);
    }
    return this.#answer(await resume(withVisit(continuation, visit), request, { context }), context);
  }

  /** What to answer with, at the end of all jumps. */
  async #deliver(outcome: Outcome, context: RequestContext): ReturnType<typeof deliver> {
    for (;;) {
      const delivered = await deliver(outcome, context);
      if (!(delivered.value instanceof Jump)) return delivered;
      context.resumed = delivered.value.continuation;
      outcome = await resume(delivered.value.continuation, delivered.value.value, { context });
    }
  }

  async #answer(outcome: Outcome, context: RequestContext): Promise<Reply> {
    const { value, continuation } = await this.#deliver(outcome, context);
    const reply = await toReply(value, this.#name);
    return new PreparedReply(reply, continuation === null ? '' : protection(reply.headerLines));
  }
}

/** The function that a page embedded runs in the place of the call that suspended: as one frame more. */
function withVisit(continuation: Continuation, visit: Visit): Continuation {
  const frame = new Frame(null, 1, [], async (activation) =>
    activation.forward(visit(activation.resumed() as ServletRequest)),
  );
  frame.next = continuation.frames;
  frame.bindings = continuation.bindings;
  return new Continuation(frame, continuation.bindings, null);
}

/** A page with a continuation's URL must not be told to other sites, nor kept by caches, unless its author wants it. */
function protection(headerLines: string): string {
  let lines = '';
  if (!/(?:^|\n)referrer-policy: /i.test(headerLines)) lines += 'Referrer-Policy: same-origin\r\n';
  if (!/(?:^|\n)cache-control: /i.test(headerLines)) lines += 'Cache-Control: no-store\r\n';
  return lines;
}

/** A capture that nobody awaits fails its request; it must not end the thread as a rejection that nobody handles. */
export function tolerateSignals(): void {
  process.on('unhandledRejection', (reason) => {
    if (!settleUnhandled(reason)) throw reason;
  });
}
