import { html, type Html, sendSuspend } from '@custodian/worker';

export const stateless = true;

/** The same as sum2, but the server keeps nothing: its pages go on after the host was killed and started again. */
export default async function sum2Stateless(): Promise<Html> {
  const m = await getNumber('First number:');
  const n = await getNumber('Second number:');
  return page('The sum', html`<p>The sum is ${m + n}.</p>`);
}

async function getNumber(label: string): Promise<number> {
  const reply = await sendSuspend((url) => page('Enter a number to add', form(label, url)));
  return Number(reply.bindings.single('number'));
}

function form(label: string, url: string): Html {
  return html`<form action="${url}" method="get">
    <label>${label} <input type="text" inputmode="numeric" name="number" value="" required autofocus /></label>
    <input type="submit" name="enter" value="Enter" />
  </form>`;
}

function page(title: string, content: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <style>
          body {
            font:
              1.125rem/1.6 system-ui,
              sans-serif;
            margin: 2rem auto;
            max-width: 30rem;
            padding: 0 1rem;
          }
          input {
            font: inherit;
            padding: 0.25rem 0.5rem;
          }
        </style>
      </head>
      <body>
        ${content}
      </body>
    </html>`;
}
