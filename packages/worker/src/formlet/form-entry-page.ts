import type { Html } from '../html/fragment.ts';
import { html } from '../http/html.ts';

/** The page around a form for which its author has made none. */
export function formEntryPage(form: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <title>Form Entry</title>
        <style>
          body {
            font:
              1.125rem/1.6 system-ui,
              sans-serif;
            margin: 2rem auto;
            max-width: 36rem;
            padding: 0 1rem;
          }
          input,
          textarea,
          select,
          button {
            font: inherit;
            max-width: 100%;
          }
          .problem {
            color: light-dark(#a3341b, #f0957f);
          }
        </style>
      </head>
      <body>
        <main>${form}</main>
      </body>
    </html>`;
}
