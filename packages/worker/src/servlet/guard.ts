import { failureOf } from '@custodian/protocol';
import { Activation } from '../continuation/activation.ts';
import { Frame, Signal } from '../continuation/runtime.ts';
import { html } from '../http/html.ts';
import type { ServletResult } from '../http/reply.ts';
import type { ExpirationHandler } from '../manager/manager.ts';
import { expirationHandler } from './context.ts';

/** How an error is answered with: `sendBack`, or any function of a page. */
export type Send = (page: ServletResult) => unknown;

/**
 * Runs `thunk`; an error that leaves it, before or after a suspension, is shown to the visitor by `send`.
 * @see Racket `with-errors-to-browser`
 *
 * @example
 * ```ts
 * function start(order: () => Promise<Html>) {
 *   return withErrorsToBrowser(sendBack, order);
 * }
 * ```
 */
export function withErrorsToBrowser<Result>(send: Send, thunk: () => Result | Promise<Result>): Promise<Result> {
  const activation = new Activation();
  return (activation.promise = guarded(activation, send, thunk)) as Promise<Result>;
}

/** The catch clause in force for what goes on inside. */
export class GuardFrame extends Frame {
  readonly send: Send;
  constructor(send: Send) {
    super(null, 1, [], (again) => guarded(again, send, () => again.resumed()));
    this.send = send;
  }
}

/** What a compiled function with a try statement would be. A capture leaves a frame that goes on with the catch clause in force. */
async function guarded(activation: Activation, send: Send, thunk: () => unknown): Promise<unknown> {
  let promise: Promise<unknown> | null = null;
  try {
    const result = thunk();
    if (!(result instanceof Promise)) return result;
    promise = result;
    return await result;
  } catch (error) {
    if (!(error instanceof Signal)) return activation.forward(send(errorPage(error)));
    throw activation.passed(error, promise, () => new GuardFrame(send));
  }
}

function errorPage(error: unknown): ServletResult {
  return {
    status: 500,
    body: html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width" />
          <meta name="color-scheme" content="light dark" />
          <title>Servlet Error</title>
        </head>
        <body>
          <p>The following error occurred:</p>
          <pre>${failureOf(error).message}</pre>
        </body>
      </html>`,
  };
}

/**
 * Runs `thunk`; `handler` answers for the pages that are shown meanwhile, once they have expired. Continuations carry
 * it along.
 * @see Racket `current-servlet-continuation-expiration-handler`
 *
 * @example
 * ```ts
 * function start() {
 *   return onExpired(
 *     () => html`<p>This order is closed. <a href="/order">Start anew</a></p>`,
 *     async () => {
 *       await sendSuspend((url) => html`<a href="${url}">Order</a>`);
 *       return sendFinish(html`<p>Ordered.</p>`);
 *     },
 *   );
 * }
 * ```
 */
export function onExpired<Result>(handler: ExpirationHandler, thunk: () => Result | Promise<Result>): Promise<Result> {
  return expirationHandler.run(handler, thunk);
}
