import { html, type Html, sendSuspendDispatch } from '@custodian/worker';

/** Counts up and down: two links, each with the function that runs when it is followed. */
export default function countDotCom(): Promise<Html> {
  return count(0);
}

// In tail position: however long somebody counts, the continuation stays as small as it is.
async function count(i: number): Promise<Html> {
  return sendSuspendDispatch<Html>(
    (embedUrl) =>
      html`<!doctype html>
        <html lang="en">
          <head>
            <meta charset="utf-8" />
            <meta name="viewport" content="width=device-width" />
            <meta name="color-scheme" content="light dark" />
            <title>Count dot com</title>
            <style>
              body {
                font:
                  1.5rem/1.6 system-ui,
                  sans-serif;
                margin: 4rem auto;
                max-width: 20rem;
                text-align: center;
              }
              a {
                padding: 0.5rem 1.25rem;
              }
            </style>
          </head>
          <body>
            <p>
              <a href="${embedUrl(() => count(i - 1))}">-</a>
              <strong>${i}</strong>
              <a href="${embedUrl(() => count(i + 1))}">+</a>
            </p>
          </body>
        </html>`,
  );
}
