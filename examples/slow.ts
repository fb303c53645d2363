import { html, type Html, type ServletRequest } from '@custodian/worker';

/** Answers after `?ms=` milliseconds; without it, never. */
export default async function slow(request: ServletRequest): Promise<Html> {
  const ms = request.query.get('ms');
  if (ms === undefined) await new Promise(() => {});
  await new Promise((resolve) => setTimeout(resolve, Number(ms)));
  return html`<!doctype html>
    <html lang="en">
      <head>
        <title>Slow</title>
      </head>
      <body>
        Answered after ${ms} ms
      </body>
    </html>`;
}
