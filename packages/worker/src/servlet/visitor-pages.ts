import { headerPairs } from '../http/reply-head.ts';
import { html, type Html } from '../http/html.ts';
import type { PlainReply } from '../http/reply.ts';

/** The standard answer for a page that has expired: says so, and offers to start again. */
export function expiredPage(startUrl: string): PlainReply {
  return page({
    status: 410,
    code: 'SERVLET_NO_CONTINUATION',
    title: 'This page has expired',
    text: 'It was open for too long, or it has been answered for good. Coming back to it has changed nothing: what was done before is done.',
    startUrl,
  });
}

/** The answer for a page of a servlet whose code was changed since. */
export function changedPage(startUrl: string): PlainReply {
  return page({
    status: 410,
    code: 'SERVLET_PROGRAM_CHANGED',
    title: 'This page is of an older version',
    text: 'The program behind it has been changed since it was shown, and can’t go on from here. Nothing has been done.',
    startUrl,
  });
}

/** The answer where an older version of a servlet, in which a page was to be finished, can't go on. */
export function oldModulePage(startUrl: string): PlainReply {
  return page({
    status: 410,
    code: 'SERVLET_OLD_MODULE',
    title: 'This page is of an older version',
    text: 'The program behind it has been changed since it was shown, and what it would need from here on was not kept. What it had done before it noticed is done.',
    startUrl,
  });
}

/** The answer for a page whose thread has ended, and that could not be saved before. `why`: for its author. */
export function unsavedPage(startUrl: string, why: string | null): PlainReply {
  return page({
    status: 410,
    code: 'SERVLET_UNSERIALIZABLE',
    title: 'This page could not be kept',
    text: 'The program behind it was stopped, and had left something open that can’t be kept. Pages of this visit from before may still go on.',
    detail: why,
    startUrl,
  });
}

/** What is not there at the moment may be asked for again. */
export function isUnavailable(code: unknown): code is 'STORE_UNAVAILABLE' | 'ASK_BUSY' {
  return code === 'STORE_UNAVAILABLE' || code === 'ASK_BUSY';
}

/** The answer where what the page holds can’t be kept, or found, at the moment. */
export function unavailablePage(code: 'STORE_UNAVAILABLE' | 'ASK_BUSY'): PlainReply {
  const reply = page({
    status: 503,
    code,
    title: 'This page is not available at the moment',
    text: 'Please send it once more in a while: go back, and do again what you did.',
    startUrl: null,
  });
  return { ...reply, headers: [...headerPairs(reply.headers), ['Retry-After', '5']] };
}

/** The answer where somebody else has answered the visit meanwhile, so that this answer was not kept. */
export function supersededPage(): PlainReply {
  return page({
    status: 409,
    code: 'STORE_CONFLICT',
    title: 'This visit has gone on elsewhere',
    text: 'It was answered at another place at the same time, so that this answer was not kept. Go back, look at where the visit stands, and do again what you did.',
    startUrl: null,
  });
}

interface VisitorPage {
  status: number;
  code: string;
  title: string;
  text: string;
  detail?: string | null;
  startUrl: string | null;
}

function page({ status, code, title, text, detail = null, startUrl }: VisitorPage): PlainReply {
  const shown: Html = detail === null ? html`` : html`<pre style="white-space: pre-wrap">${detail}</pre>`;
  const again: Html = startUrl === null ? html`` : html`<p><a href="${startUrl}">Start again</a></p>`;
  return {
    status,
    // Browsers keep a 410 for good unless they are told otherwise.
    headers: { 'Cache-Control': 'no-store' },
    body: html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width" />
          <meta name="color-scheme" content="light dark" />
          <title>${title}</title>
          <style>
            body {
              font:
                1rem/1.5 system-ui,
                sans-serif;
              margin: 12vh auto;
              max-width: 42rem;
              padding: 0 1.25rem;
            }
            h1 {
              font-size: 1.4rem;
            }
          </style>
        </head>
        <body>
          <main>
            <h1>${title}</h1>
            <p>${text}</p>
            ${shown} ${again}
            <small>${status} · <code>${code}</code></small>
          </main>
        </body>
      </html>`,
  };
}
