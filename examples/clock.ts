import { html, type Html } from '@custodian/worker';

/** The time. It goes on ticking while its neighbours misbehave. */
export default function clock(): Html {
  const now = new Date().toISOString();
  return html`<!doctype html>
    <html lang="en">
      <head>
        <title>Clock</title>
      </head>
      <body>
        <time datetime="${now}">${now}</time>
      </body>
    </html>`;
}
