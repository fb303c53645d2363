import { html, type Html, sendSuspendDispatch, webCell } from '@custodian/worker';

const first = webCell(0);
const second = webCell(0);

/** Two counters on one page. What they show belongs to the page: Back, and the other counter, and neither mixes them up. */
export default async function counters(): Promise<Html> {
  for (;;) {
    const count = await sendSuspendDispatch<typeof first>((embedUrl) =>
      page(html`
        <p>First: <strong>${first.get()}</strong> <a href="${embedUrl(() => first)}">+</a></p>
        <p>Second: <strong>${second.get()}</strong> <a href="${embedUrl(() => second)}">+</a></p>
      `),
    );
    count.shadow(count.get() + 1);
  }
}

function page(content: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <title>Two counters</title>
        <style>
          body {
            font:
              1.5rem/1.6 system-ui,
              sans-serif;
            margin: 4rem auto;
            max-width: 20rem;
            padding: 0 1rem;
          }
          a {
            padding: 0 1rem;
          }
        </style>
      </head>
      <body>
        ${content}
      </body>
    </html>`;
}
