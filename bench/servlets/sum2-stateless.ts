import { html, type Html, sendSuspend } from '@custodian/worker';

export const stateless = true;

/** The tutorial's sum, as in bench/servlets/sum2-stateless-pages.rkt. */
export default async function sum2(): Promise<Html> {
  const m = await getNumber('First number:');
  const n = await getNumber('Second number:');
  return page(html`<p>The sum is ${m + n}.</p>`);
}

async function getNumber(label: string): Promise<number> {
  const reply = await sendSuspend((url) =>
    page(
      html`<form action="${url}" method="get">
        <label>${label} <input name="number" /></label><input type="submit" />
      </form>`,
    ),
  );
  return Number(reply.bindings.get('number'));
}

function page(body: Html): Html {
  return html`<!doctype html>
    <html>
      <head>
        <title>Sum</title>
      </head>
      <body>
        ${body}
      </body>
    </html>`;
}
