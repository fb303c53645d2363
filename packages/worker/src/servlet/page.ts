import { AsyncLocalStorage } from 'node:async_hooks';
import { NoPromptError } from '../continuation/runtime.ts';
import type { ServletRequest } from '../http/request.ts';
import type { ServletResult } from '../http/reply.ts';
import { checkMaker, type EmbedUrl, type Page, sendSuspendDispatch } from './send.ts';

const embedding = new AsyncLocalStorage<EmbedUrl<unknown>>();

/**
 * Makes a function of a request that shows a page, whose links are made by {@link embedUrl}: what an embedded function
 * returns is what the function returns. Await it directly, or return its promise. A page that leads to itself states the
 * type of its markup, `(request): Html =>`.
 * @param make gets the request, and whatever else the function is called with
 * @see Racket `page`, `lambda/page`, `define/page`
 *
 * @example
 * ```ts
 * const counter = page(
 *   (request, count: number): Html => html`<p>${count} <a href="${embedUrl((next) => counter(next, count + 1))}">+</a>`,
 * );
 * const start = (request: ServletRequest) => counter(request, 0);
 * ```
 */
export function page<Rest extends readonly unknown[], Result = ServletResult>(
  make: (request: ServletRequest, ...rest: Rest) => Page,
): (request: ServletRequest, ...rest: Rest) => Promise<Result> {
  checkMaker('page', make);
  return (request, ...rest) =>
    sendSuspendDispatch<Result>((embed) => embedding.run(embed as EmbedUrl<unknown>, make, request, ...rest));
}

/**
 * Embeds a function in the page that is being made here, by {@link page}; visiting the URL calls it.
 * @throws NoPromptError elsewhere
 * @see Racket `embed/url`
 *
 * @example
 * ```ts
 * const drink = page<[], string>(
 *   () => html`<a href="${embedUrl(() => 'tea')}">Tea</a> <a href="${embedUrl(() => 'coffee')}">Coffee</a>`,
 * );
 * const start = async (request: ServletRequest) => html`<p>One ${await drink(request)}.</p>`;
 * ```
 */
export const embedUrl: EmbedUrl<unknown> = (visit) => {
  const embed = embedding.getStore();
  if (embed === undefined) throw new NoPromptError('Cannot embed a function: no page is being made here by page()');
  return embed(visit);
};
