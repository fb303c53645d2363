import {
  readPayload,
  readToken,
  STATE_FIELD,
  STATE_FIELD_MAX_CHARS,
  withoutPayload,
  withoutVersion,
  withPayload,
} from '@custodian/protocol';
import type { Saved } from '../continuation/serialize/saved.ts';
import type { CodeChangedError } from '../continuation/serialize/errors.ts';
import { decode, encode } from '../continuation/serialize/saved.ts';
import { html, type Html } from '../http/html.ts';
import type { Reply } from '../http/reply.ts';
import type { ServletRequest } from '../http/request.ts';
import type { ContinuationManager } from '../manager/manager.ts';
import { createDefaultStuffer } from '../stuffer/default-stuffer.ts';
import { useSerializer } from '../stuffer/serialize.ts';
import type { Stuffer } from '../stuffer/stuffer.ts';
import { type Stuffing, URL_MAX_CHARS, whileStuffing } from '../stuffer/stuffing.ts';
import { type ContinuationPlace, ContinuationServlet } from './continuation-servlet.ts';
import { baseOf, type Captured, type Visit } from './instance.ts';
import './saved-library.ts';
import { takeReferred } from './server-ref.ts';
import type { Servlet } from './servlet.ts';
import { toOldVersion } from '../version/versions.ts';
import { changedPage, expiredPage, isUnavailable, oldModulePage, unavailablePage } from './visitor-pages.ts';

useSerializer({ encode, decode });

/** Errors of links that are not, or not any more, this servlet's for this visitor: one page for all of them. */
const BAD_LINK_CODES: ReadonlySet<unknown> = new Set([
  'SERVLET_BAD_LINK',
  'SERVLET_BAD_CONTINUATION',
  'SERVLET_STUFFER',
  'STORE_MISSING',
]);

/**
 * A servlet whose pages hold the rest of its run themselves: sealed, in their URLs. Any thread of any replica can go on
 * from them. What can't be written down, a native part, is kept in the thread, like everything of a stateful servlet.
 */
export class StatelessServlet extends ContinuationServlet {
  readonly #stuffer: Stuffer<Saved, Uint8Array>;

  constructor(servlet: Servlet, manager: ContinuationManager, place: ContinuationPlace) {
    super(servlet, manager, place);
    this.#stuffer = servlet.stuffer ?? createDefaultStuffer(servlet.sealing);
  }

  /** The state may be in any form. */
  override readsForm(target: string): boolean {
    return this.kind === 'fetch' || super.readsForm(target);
  }

  override async handle(request: ServletRequest): Promise<Reply> {
    try {
      const payload = readToken(request.url) === null ? payloadOf(request) : null;
      if (payload === null) return await super.handle(request);
      const saved = await this.#open(request, payload);
      return saved instanceof Error ? await this.#refuse(request, saved) : await this.resume(request, saved, 0);
    } catch (error) {
      const code = (error as { code?: unknown } | null)?.code;
      if (isUnavailable(code)) return this.start(request, () => unavailablePage(code));
      if (code !== 'SERVLET_OLD_MODULE') throw error;
      console.warn((error as Error).message);
      return this.start(request, () => oldModulePage(this.#startUrl(request)));
    }
  }

  override keep(captured: Captured, visit: Visit | null): string {
    if (captured.continuation.parked !== null) return super.keep(captured, visit);
    const base = baseOf(captured.context.request);
    const { payload, near } = this.#stuff(captured, visit, `${base};c=`.length, URL_MAX_CHARS);
    return withPayload(withoutPayload(base), payload, near);
  }

  override keepForForm(captured: Captured): { url: string; field: Html } {
    if (captured.continuation.parked !== null) return super.keepForForm(captured);
    const { payload, near } = this.#stuff(captured, null, 0, STATE_FIELD_MAX_CHARS);
    const base = withoutPayload(baseOf(captured.context.request));
    const url = near === null ? base : `${base};at=${near}`;
    return { url, field: html`<input type="hidden" name="${STATE_FIELD}" value="${payload}" />` };
  }

  #stuff(
    { context, continuation, cells }: Captured,
    visit: Visit | null,
    baseChars: number,
    maxChars: number,
  ): { payload: string; near: string | null } {
    const stuffing: Stuffing = { request: context.request, baseChars, maxChars, writes: (context.writes ??= []) };
    const bytes = whileStuffing(stuffing, () => this.#stuffer.in({ continuation, cells, visit }));
    return { payload: Buffer.from(bytes).toString('latin1'), near: takeReferred() };
  }

  /** What a payload holds, or why it is refused. @throws what no visitor can be blamed for */
  async #open(request: ServletRequest, payload: string): Promise<Saved | Error> {
    const stuffing: Stuffing = { request, baseChars: 0, maxChars: URL_MAX_CHARS, writes: [] };
    try {
      return await whileStuffing(stuffing, () => this.#stuffer.out(Buffer.from(payload, 'latin1')));
    } catch (error) {
      const { code } = error as { code?: unknown };
      // It is authentic, so that the fault is here: an older version of the library, say.
      if (code === 'SERVLET_BAD_CONTINUATION') console.warn(error);
      if (BAD_LINK_CODES.has(code) || code === 'SERVLET_PROGRAM_CHANGED') return error as Error;
      throw error;
    }
  }

  async #refuse(request: ServletRequest, error: Error): Promise<Reply> {
    const startUrl = this.#startUrl(request);
    const isChanged = (error as { code?: unknown }).code === 'SERVLET_PROGRAM_CHANGED';
    if (!isChanged) return this.start(request, () => expiredPage(startUrl));
    const elsewhere = await toOldVersion(request, error as CodeChangedError);
    return this.start(request, () => elsewhere ?? changedPage(startUrl));
  }

  #startUrl(request: ServletRequest): string {
    return this.startUrl ?? withoutVersion(withoutPayload(baseOf(request)));
  }
}

/** In the URL, else in a form's hidden field. */
function payloadOf(request: ServletRequest): string | null {
  return readPayload(request.url) ?? (request.bindings.get(STATE_FIELD) || null);
}
