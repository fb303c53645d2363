import { html, type Html, sendSuspend, type ServletRequest } from '@custodian/worker';

/** The tutorial's sum, as in bench/servlets/sum2.rkt. With `?memory` it tells what its thread holds after a collection. */
export default async function sum2(request: ServletRequest): Promise<Html> {
  if (request.query.has('memory')) return page(html`${memoryUse()}`);
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

function memoryUse(): number {
  const collect = (globalThis as { gc?: () => void }).gc;
  collect?.();
  collect?.();
  return process.memoryUsage().heapUsed;
}
