import { html, type Html } from '@custodian/worker';

/** Asks how many greetings to show; `reply` shows them. */
export default function many(): Html {
  return requestPage('Number of greetings:', '/reply', '');
}

function requestPage(label: string, nextUrl: string, hidden: string): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <title>Enter a number</title>
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
        <form action="${nextUrl}" method="get">
          <label>${label} <input type="text" inputmode="numeric" name="number" value="" required autofocus /></label>
          <input type="hidden" name="hidden" value="${hidden}" />
          <input type="submit" name="enter" value="Enter" />
        </form>
      </body>
    </html>`;
}
