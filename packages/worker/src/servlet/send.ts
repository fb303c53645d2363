import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { capture, exit, native as runtimeNative, NoPromptError } from '../continuation/runtime.ts';
import type { HeaderValues } from '../http/reply-head.ts';
import { redirectionHeaders } from '../http/reply-head.ts';
import type { ServletResult } from '../http/reply.ts';
import type { ServletRequest } from '../http/request.ts';
import { contextFor, expirationHandler, type RequestContext, runningContextFor } from './context.ts';
import type { Html } from '../http/html.ts';
import type { Captured, Visit } from './instance.ts';

/** What a page maker returns. */
export type Page = ServletResult | Promise<ServletResult>;

/** Embeds a function in a page: it runs, in place of what follows the suspension's call, when its URL is visited. */
export type EmbedUrl<Result> = (visit: (request: ServletRequest) => Result | Promise<Result>) => string;

/**
 * Shows a page, and returns the request that answers it, as often as it is answered. Await it directly.
 * @param make gets the URL that the page's form or link must lead to
 * @throws UnsafeContextError when it can't be captured who waits for it
 * @see Racket `send/suspend`
 *
 * @example
 * ```ts
 * async function start() {
 *   const answer = await sendSuspend((url) => html`<form action="${url}"><input name="city"></form>`);
 *   return html`<p>${answer.bindings.get('city') ?? 'Nowhere'} is lovely.</p>`;
 * }
 * ```
 */
export function sendSuspend(make: (url: string) => Page): Promise<ServletRequest> {
  return suspend('sendSuspend', make, (captured) => make(keep(captured, null)));
}

/**
 * The same for a form that is sent by POST, whose state may be too long for a URL: in a stateless servlet it is in the
 * hidden field `kont`, which the form must have in it.
 * @see Racket `send/suspend/hidden`
 *
 * @example
 * ```ts
 * async function start() {
 *   const answer = await sendSuspendHidden(
 *     (url, field) => html`<form action="${url}" method="post">${field} <input name="city"></form>`,
 *   );
 *   return html`<p>${answer.bindings.get('city') ?? 'Nowhere'} is lovely.</p>`;
 * }
 * ```
 */
export function sendSuspendHidden(make: (url: string, field: Html) => Page): Promise<ServletRequest> {
  return suspend('sendSuspendHidden', make, (captured) => {
    const { url, field } = captured.context.site.keepForForm(captured);
    return make(url, field);
  });
}

/**
 * The same with a URL object, which knows the host.
 * @see Racket `send/suspend/url`
 *
 * @example
 * ```ts
 * async function confirmed(send: (text: string) => Promise<void>) {
 *   await sendSuspendUrl(async (url) => {
 *     await send(`Visit ${url.href}`);
 *     return html`<p>Look into your mail.</p>`;
 *   });
 *   return html`<p>Thank you.</p>`;
 * }
 * ```
 */
export function sendSuspendUrl(make: (url: URL) => Page): Promise<ServletRequest> {
  return suspend('sendSuspendUrl', make, (captured) => make(absolute(keep(captured, null), captured.context)));
}

/**
 * Shows a page with any number of ways to go on. What the embedded function of the visited URL returns is what this
 * call returns.
 * @see Racket `send/suspend/dispatch`
 *
 * @example
 * ```ts
 * async function counted(count: number): Promise<Html> {
 *   return sendSuspendDispatch<Html>(
 *     (embedUrl) => html`<p>${count} <a href="${embedUrl(() => counted(count + 1))}">+</a></p>`,
 *   );
 * }
 * ```
 */
export function sendSuspendDispatch<Result>(make: (embedUrl: EmbedUrl<Result>) => Page): Promise<Result> {
  return dispatched(
    suspend('sendSuspendDispatch', make, (captured) => make((visit) => keep(captured, checkedVisit(visit)))),
  );
}

/**
 * The same with URL objects.
 * @see Racket `send/suspend/url/dispatch`
 *
 * @example
 * ```ts
 * async function start() {
 *   const drink = await sendSuspendUrlDispatch<string>(
 *     (embedUrl) => html`<a href="${embedUrl(() => 'tea')}">Tea</a> <a href="${embedUrl(() => 'coffee')}">Coffee</a>`,
 *   );
 *   return html`<p>One ${drink}.</p>`;
 * }
 * ```
 */
export function sendSuspendUrlDispatch<Result>(
  make: (embedUrl: (...visit: Parameters<EmbedUrl<Result>>) => URL) => Page,
): Promise<Result> {
  return dispatched(
    suspend('sendSuspendUrlDispatch', make, (captured) =>
      make((visit) => absolute(keep(captured, checkedVisit(visit)), captured.context)),
    ),
  );
}

/**
 * Answers with a page and ends the run. Its continuations stay.
 * @see Racket `send/back`
 *
 * @example
 * ```ts
 * async function adult(age: number) {
 *   if (age < 18) await sendBack(html`<p>Come again in ${18 - age} years.</p>`);
 *   return html`<p>Welcome.</p>`;
 * }
 * ```
 */
export function sendBack(page: Page): Promise<never> {
  return promised(() => {
    runningContextFor('send a page');
    return exit(page);
  });
}

/**
 * Answers with a page, ends the run, and expires every page of the instance.
 * @see Racket `send/finish`
 *
 * @example
 * ```ts
 * async function bought(wares: string) {
 *   return sendFinish(html`<p>${wares} are on their way. Going back buys nothing again.</p>`);
 * }
 * ```
 */
export function sendFinish(page: Page): Promise<never> {
  return promised(() => {
    clearContinuations();
    return exit(page);
  });
}

/**
 * Expires every page of the instance, then goes on as `sendSuspend`: what came before can't be done again.
 * @see Racket `send/forward`
 *
 * @example
 * ```ts
 * async function paid(sum: number) {
 *   await sendForward((url) => html`<p>Paid ${sum} €, and not twice. <a href="${url}">Go on</a></p>`);
 *   return html`<p>That was all.</p>`;
 * }
 * ```
 */
export function sendForward(make: (url: string) => Page): Promise<ServletRequest> {
  return promised(() => {
    // What can't be done must not have been done by half.
    checkMaker('sendForward', make);
    contextToSuspend();
    clearContinuations();
    return sendSuspend(make);
  });
}

/**
 * Has the browser ask again, by GET: Refresh then repeats only what follows.
 * @param headers go out as well, but for a `Location`: that is the page's
 * @see Racket `redirect/get`
 *
 * @example
 * ```ts
 * async function saved(save: () => Promise<void>) {
 *   await save();
 *   await redirectGet();
 *   return html`<p>Saved. Refresh shows this again, and saves nothing.</p>`;
 * }
 * ```
 */
export function redirectGet(headers?: HeaderValues): Promise<ServletRequest> {
  return sendSuspend((url) => redirection(url, headers));
}

/**
 * The same, and what came before has expired.
 * @see Racket `redirect/get/forget`
 *
 * @example
 * ```ts
 * async function sent(send: () => Promise<void>) {
 *   await send();
 *   await redirectGetForget();
 *   return html`<p>Sent. The form has expired.</p>`;
 * }
 * ```
 */
export function redirectGetForget(headers?: HeaderValues): Promise<ServletRequest> {
  return sendForward((url) => redirection(url, headers));
}

/**
 * Expires every page of the instance.
 * @see Racket `clear-continuation-table!`
 *
 * @example
 * ```ts
 * async function loggedOut() {
 *   clearContinuations();
 *   return html`<p>Pages that you left open lead nowhere any more.</p>`;
 * }
 * ```
 */
export function clearContinuations(): void {
  const { instance, site } = runningContextFor('clear continuations');
  if (instance !== 0) site.manager.clear(instance);
}

/**
 * How long the instance may rest from now on, for a timeout manager.
 * @throws RangeError for a time that is none
 * @see Racket `adjust-timeout!`
 *
 * @example
 * ```ts
 * async function longForm() {
 *   adjustTimeout(3_600_000); // an hour for this visitor
 *   const answer = await sendSuspend((url) => html`<form action="${url}" method="post"><textarea name="text"></textarea></form>`);
 *   return html`<pre>${answer.bindings.get('text') ?? ''}</pre>`;
 * }
 * ```
 */
export function adjustTimeout(timeoutMs: number): void {
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0))
    throw new RangeError('Cannot adjust the timeout: timeoutMs is not a number above 0');
  const context = runningContextFor('adjust the timeout');
  const { manager } = context.site;
  if (context.instance === 0 || !manager.hasInstance(context.instance)) context.instance = manager.createInstance();
  manager.adjustTimeout(context.instance, timeoutMs);
}

/**
 * The request that is being answered: after a suspension, the one that answered it.
 * @throws NoPromptError where none is being answered
 * @see Racket `current-request` of `page`
 *
 * @example
 * ```ts
 * function whereFrom() {
 *   return html`<p>You come from ${currentRequest().clientIp}.</p>`;
 * }
 * ```
 */
export function currentRequest(): ServletRequest {
  return contextFor('tell the current request').request;
}

const inNative = new AsyncLocalStorage<true>();

/**
 * Runs code that can't be captured, such as a library's. A suspension inside keeps the code waiting in memory, and its
 * page can be answered once.
 * @throws OneShotError at the second answer
 * @see Racket `serial->native`, `native->serial`
 *
 * @example
 * ```ts
 * async function tour(forEach: (visit: (name: string) => Promise<void>) => Promise<void>) {
 *   await native(() =>
 *     forEach(async (name) => {
 *       await sendSuspend((url) => html`<p>${name} <a href="${url}">Next</a></p>`);
 *     }),
 *   );
 *   return html`<p>That was all.</p>`;
 * }
 * ```
 */
export function native<Value>(thunk: () => Value | Promise<Value>): Promise<Value> {
  return runtimeNative(() => inNative.run(true, thunk));
}

function keep(captured: Captured, visit: Visit | null): string {
  return captured.context.site.keep(captured, visit);
}

/** `name` and `given`: the call, for what is wrong with it. */
function suspend(name: string, given: unknown, make: (captured: Captured) => Page): Promise<ServletRequest> {
  return promised(() => {
    checkMaker(name, given);
    const context = contextToSuspend();
    const handler = expirationHandler();
    const { cells } = context;
    // Forty times cheaper than `AsyncLocalStorage.snapshot`.
    const here = new AsyncResource('SUSPENSION');
    return capture(async (continuation) => {
      context.isMakingPage = true;
      try {
        const page = await here.runInAsyncScope(make, null, { context, continuation, cells, handler, weight: null });
        // A page goes out when what it leads to is safe.
        if (context.writes !== null) await Promise.all(context.writes);
        return page;
      } finally {
        // A page maker that fails has its error thrown at the suspension, where the run goes on.
        context.isMakingPage = false;
        context.writes = null;
      }
    });
  });
}

/** @throws TypeError, in the author's call, unless it can make a page */
export function checkMaker(name: string, make: unknown): void {
  if (typeof make === 'function') return;
  throw new TypeError(`Cannot show a page: ${name} takes a function that makes it, and was given ${kindOf(make)}`);
}

/** @throws TypeError, where it is embedded, unless it can be called when its URL is visited */
function checkedVisit(visit: Visit): Visit {
  if (typeof visit === 'function') return visit;
  throw new TypeError(`Cannot embed in a page what is no function: embedUrl was given ${kindOf(visit)}`);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (value instanceof Promise) return 'a promise';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function contextToSuspend(): RequestContext {
  const context = runningContextFor('suspend');
  if (context.isMakingPage) throw new NoPromptError('Cannot suspend: a page is being made, and its run has unwound');
  return context;
}

/** What fails before there is a promise rejects as what fails later. */
function promised<Value>(body: () => Promise<Value>): Promise<Value> {
  try {
    return body();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/** A native part waits where it is; everything else has the visit put on top of its frames by {@link resumption}. */
function dispatched<Result>(answer: Promise<unknown>): Promise<Result> {
  if (inNative.getStore() !== true) return answer as Promise<Result>;
  return answer.then((answered) => (answered as NativeVisit).visit((answered as NativeVisit).request) as Result);
}

/** What a suspended native part is given, where the page embedded a function. */
export interface NativeVisit {
  visit: Visit;
  request: ServletRequest;
}

function redirection(url: string, headers: HeaderValues | undefined): ServletResult {
  return { status: 303, headers: redirectionHeaders(url, headers), body: null };
}

function absolute(url: string, { request }: RequestContext): URL {
  return new URL(url, request.origin);
}
