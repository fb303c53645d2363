import { readToken, type ContinuationToken, type ServletLimits, withoutVersion } from '@custodian/protocol';
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
import { ResponseTypeError } from '../http/reply-head.ts';
import type { ServletRequest } from '../http/request.ts';
import {
  type ContinuationManager,
  type ExpirationHandler,
  NoContinuationError,
  NoInstanceError,
} from '../manager/manager.ts';
import { type ContinuationSite, type InstanceAddress, RequestContext } from './context.ts';
import {
  baseOf,
  type Captured,
  InstanceTurns,
  keepInManager,
  type Resumable,
  type Suspension,
  type Visit,
} from './instance.ts';
import { Jump } from './jump.ts';
import { afterWrites } from './late-writes.ts';
import type { NativeVisit } from './send.ts';
import type { Servlet } from './servlet.ts';
import { expiredPage } from './visitor-pages.ts';

/** What a servlet's continuations need of their thread. */
export interface ContinuationPlace {
  /** Where the thread stands, for URLs. */
  place: string;
  /** The servlet's, for messages. */
  name: string;
  /** The thread runs its requests one after another. */
  isSequential: boolean;
}

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
  /** null: the thread sees to it that no two requests overlap. */
  readonly #turns: InstanceTurns | null;

  constructor(servlet: Servlet, manager: ContinuationManager, { place, name, isSequential }: ContinuationPlace) {
    this.kind = servlet.kind;
    this.limits = servlet.limits;
    this.takesRawBody = servlet.takesRawBody;
    this.startUrl = servlet.startUrl;
    this.persistence = servlet.persistence;
    this.manager = manager;
    this.place = place;
    this.#servlet = servlet;
    this.#name = name;
    this.#turns = isSequential ? null : new InstanceTurns();
  }

  readsForm(target: string): boolean {
    if (this.kind === 'servlet') return !this.takesRawBody;
    // A page of a fetch function is answered by a ServletRequest too.
    return readToken(target) !== null;
  }

  handle(request: ServletRequest): Promise<Reply> {
    const token = readToken(request.url);
    if (token === null) return this.start(request, (fresh) => this.#servlet.handle(fresh));
    if (this.#turns === null) return this.#goOn(request, token);
    // Who has no page of the instance has no turn either: a guessed address makes none of its visitors wait.
    const instance = this.instanceOf(token);
    if (instance !== null && !(this.#find(token, 'peek') instanceof Expiry)) {
      return this.#turns.run(instance, request, () => this.#goOn(request, token));
    }
    return this.#goOn(request, token);
  }

  addressOf(instance: number): InstanceAddress {
    return { place: this.place, instance };
  }

  /** The number, in the manager, of the instance that a URL is of; null: it is not here. */
  protected instanceOf({ place, instance }: InstanceAddress): number | null {
    return place === this.place ? instance : null;
  }

  /** Who answers for a URL that leads to nothing here. */
  protected expired(_token: ContinuationToken, handler: ExpirationHandler | null): ExpirationHandler | null {
    return handler;
  }

  /** Called when a run has ended, and before its page goes out: what has to be done about the instance that it belongs to. */
  protected settle(_context: RequestContext): Promise<void> | null {
    return null;
  }

  keep(captured: Captured, visit: Visit | null): string {
    return keepInManager(captured, visit);
  }

  keepForForm(captured: Captured): { url: string; field: Html } {
    // Who holds it is found by the URL: it must be there.
    return { url: this.keep(captured, null), field: html`` };
  }

  giveUp(request: ServletRequest): void {
    this.#turns?.giveUp(request);
  }

  #goOn(request: ServletRequest, token: ContinuationToken): Promise<Reply> {
    const found = this.#find(token, 'lookup');
    if (found instanceof Expiry) {
      const { handler } = found;
      const answer = handler ?? (() => expiredPage(this.startUrl ?? withoutVersion(baseOf(request))));
      return this.start(request, answer, 'what a handler of expired pages returned');
    }
    return this.resume(request, found, this.instanceOf(token) ?? 0);
  }

  #find(token: ContinuationToken, way: 'lookup' | 'peek'): Suspension | Expiry {
    const instance = this.instanceOf(token);
    if (instance === null) return new Expiry(this.expired(token, this.manager.onExpired));
    try {
      return this.manager[way](instance, token.continuation, token.nonce) as Suspension;
    } catch (error) {
      if (error instanceof NoInstanceError || error instanceof NoContinuationError)
        return new Expiry(this.expired(token, error.handler));
      throw error;
    }
  }

  /** `given`: what `run` returns, for messages, where that is not the servlet's own function. */
  protected start(
    request: ServletRequest,
    run: (request: ServletRequest) => unknown,
    given: string | null = null,
  ): Promise<Reply> {
    const context = new RequestContext(request, this, null, 0);
    return this.#answer(
      prompt(() => run(request), context),
      context,
      given,
    );
  }

  /** Goes on from what was kept. `instance` 0: it belongs to none yet. */
  protected resume(request: ServletRequest, suspension: Resumable, instance: number): Promise<Reply> {
    const context = new RequestContext(request, this, suspension, instance);
    const { continuation, visit } = suspension;
    if (visit === null) return this.#answer(resume(continuation, request, { context }), context);
    if (continuation.parked !== null) {
      const answered: NativeVisit = { visit, request };
      return this.#answer(resume(continuation, answered, { context }), context);
    }
    return this.#answer(resume(withVisit(continuation, visit), request, { context }), context);
  }

  /** What to answer with, at the end of all jumps. */
  async #deliver(outcome: Outcome, context: RequestContext): ReturnType<typeof deliver> {
    for (;;) {
      const delivered = await deliver(outcome, context, this.#show);
      if (!(delivered.value instanceof Jump)) return delivered;
      outcome = await resume(delivered.value.continuation, delivered.value.value, { context });
    }
  }

  /** What a page's maker returned, as a reply; its errors are thrown where the maker's are. */
  readonly #show = (page: unknown): unknown => {
    if (page instanceof Jump) return page;
    try {
      const reply = toReply(page, this.#name);
      return reply instanceof Promise ? reply.catch(refuseOfMaker) : reply;
    } catch (error) {
      return refuseOfMaker(error);
    }
  };

  async #answer(run: Promise<Outcome>, context: RequestContext, given: string | null = null): Promise<Reply> {
    let prepared: PreparedReply;
    try {
      const { value, continuation, hasLeft } = await this.#deliver(await run, context);
      if (hasLeft) given = 'what sendBack or sendFinish was given';
      const made = continuation === null ? await toReply(value, this.#name) : (value as Reply);
      const reply = safeReply(made, context);
      prepared = new PreparedReply(reply, continuation === null ? '' : protection(reply.headerLines));
    } catch (error) {
      context.isAnswered = true;
      // The run's own error is what its author has to see, whatever becomes of this.
      await this.settle(context)?.catch(() => {});
      throw given === null ? error : ofGiver(error, given);
    }
    context.isAnswered = true;
    const settled = this.settle(context);
    if (settled !== null) await settled;
    return prepared;
  }
}

/** The error names who gave what is no response, where that is not the servlet's own function. */
function ofGiver(error: unknown, given: string): unknown {
  if (!(error instanceof ResponseTypeError)) return error;
  const message = error.message.replace(/what (servlet ".*") returned/, (_, servlet) => `${given} in ${servlet}`);
  return message === error.message ? error : new ResponseTypeError(message);
}

function refuseOfMaker(error: unknown): never {
  throw ofGiver(error, "what a page's maker returned");
}

/** What a URL leads to that leads to no page (any more): who answers instead. */
class Expiry {
  readonly handler: ExpirationHandler | null;
  constructor(handler: ExpirationHandler | null) {
    this.handler = handler;
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

/** A page that is still being made while it is sent may have links in it that its head knows nothing of. */
function safeReply(reply: Reply, context: RequestContext): Reply {
  const { body } = reply;
  return typeof body === 'string' || body instanceof Uint8Array
    ? reply
    : { ...reply, body: afterWrites(body, context) };
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
