import { html, type Html } from '../http/html.ts';
import type { PlainReply } from '../http/reply.ts';

/** The standard answer for a page that has expired: says so, and offers to start again. */
export function expiredPage(startUrl: string): PlainReply {
  return { status: 410, body: bodyOf(startUrl) };
}

function bodyOf(startUrl: string): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>This page has expired</title>
        <style>
          body {
            font:
              1.125rem/1.6 system-ui,
              sans-serif;
            margin: 12vh auto;
            max-width: 32rem;
            padding: 0 1rem;
            color-scheme: light dark;
          }
        </style>
      </head>
      <body>
        <main>
          <h1>This page has expired</h1>
          <p>What it was about to do is no longer known here. Nothing has been done.</p>
          <p><a href="${startUrl}">Start again</a></p>
          <small>410 · <code>SERVLET_NO_CONTINUATION</code></small>
        </main>
      </body>
    </html>`;
}
