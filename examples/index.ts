import { html, type Html } from '@custodian/worker';

type Example = [href: string, name: string, what: string];

const PAGES: Example[] = [
  ['/hello', 'hello', 'One page, one line.'],
  ['/many', 'many', 'A form; reply shows as many hellos as you ask for. Try 3, then 50000000.'],
  ['/sum', 'sum', 'Adds two numbers over three pages, which carry the first along in a hidden field.'],
  [
    '/sum2',
    'sum2',
    'The same as one function: each page holds the rest of it. Press Back, take another number, finish both.',
  ],
  ['/sum2-stateless', 'sum2-stateless', 'The same, kept in the pages alone. Stop the host, start it again, and go on.'],
  ['/count-dot-com', 'count-dot-com', 'Links with the functions that they run.'],
  ['/guess', 'guess', 'A guessing game: a loop that asks.'],
  ['/checkout', 'checkout', 'Five pages with a branch, and a payment that happens once.'],
  ['/counters', 'counters', 'Two counters whose values belong to the page.'],
  ['/login', 'login', 'A signed cookie that says who you are, until you log out.'],
  ['/formlet', 'formlet', 'An order for tea. Leave something out, and see what the form says to it.'],
  ['/blog', 'blog', 'Readable addresses in both directions, and a page from a template.'],
  ['/clock', 'clock', 'The time. Keep it open beside the ones below: it goes on ticking.'],
  ['/upload', 'upload', 'Shows sizes and hashes of files, which stream through the servlet.'],
  ['/download?mb=10', 'download', 'Streams 10 MB, as fast as you take them.'],
  ['/hono', 'hono', 'An ordinary Hono app, run as it is.'],
];

const OFFENDERS: Example[] = [
  ['/greedy', 'greedy', 'Takes memory for ever. Stopped by the cap of 50 MB.'],
  ['/greedy?of=buffers', 'greedy, off the heap', 'The same with buffers, which V8’s own limit would not see.'],
  ['/spin', 'spin', 'Computes for ever. Stopped by its CPU limit of one second.'],
  ['/slow', 'slow', 'Never answers. Stopped by the wall clock, after ten seconds.'],
  ['/exit', 'exit', 'Calls process.exit().'],
  ['/crash', 'crash', 'Throws in a timer, where nobody can catch it.'],
  ['/crash?in=promise', 'crash, in a promise', 'Leaves a rejected promise alone.'],
  ['/throws', 'throws', 'An ordinary error: an error page, and nobody has to die.'],
  ['/nobody', 'an unknown page', 'No servlet has this name.'],
];

const PAGE = html`<!doctype html>
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>Custodian: the examples</title>
      <style>
        :root {
          --text: #1d2329;
          --muted: #535e69;
          --ground: #f7f7f4;
          --card: #fff;
          --line: #dcded9;
          --link: #0b5c8a;
          --bad: #a3341b;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --text: #e7e9ea;
            --muted: #a5afb8;
            --ground: #15181b;
            --card: #1e2226;
            --line: #363c42;
            --link: #82c4ec;
            --bad: #f0957f;
          }
        }
        * {
          box-sizing: border-box;
        }
        body {
          margin: 0;
          background: var(--ground);
          color: var(--text);
          font:
            1rem/1.55 system-ui,
            sans-serif;
        }
        header,
        main {
          max-width: 62rem;
          margin: 0 auto;
          padding: 0 1.25rem;
        }
        header {
          padding-top: 3rem;
        }
        h1 {
          margin: 0;
          font-size: 2rem;
          letter-spacing: -0.02em;
          line-height: 1.2;
        }
        header p {
          max-width: 40rem;
          color: var(--muted);
          font-size: 1.0625rem;
        }
        h2 {
          margin: 2rem 0 0.25rem;
          font-size: 1.25rem;
        }
        h2 + p {
          margin: 0 0 1rem;
          color: var(--muted);
        }
        ul {
          display: grid;
          grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr));
          gap: 0.75rem;
          margin: 0 0 3rem;
          padding: 0;
          list-style: none;
        }
        li {
          position: relative;
          padding: 0.9rem 1rem;
          background: var(--card);
          border: 1px solid var(--line);
          border-radius: 0.5rem;
        }
        li:hover {
          border-color: currentColor;
        }
        li p {
          margin: 0.15rem 0 0;
          color: var(--muted);
          font-size: 0.9375rem;
        }
        a {
          color: var(--link);
          font-weight: 600;
          text-underline-offset: 0.2em;
        }
        a::after {
          content: '';
          position: absolute;
          inset: 0;
          border-radius: inherit;
        }
        a:focus-visible {
          outline: none;
        }
        li:has(a:focus-visible) {
          outline: 3px solid var(--link);
          outline-offset: 2px;
        }
        .offenders a {
          color: var(--bad);
        }
      </style>
    </head>
    <body>
      <header>
        <h1>Custodian is running</h1>
        <p>
          Each link is a servlet: one file in <code>examples/</code>, run in a capped and timed thread inside a process
          of its own. Change a file, start again, and see.
        </p>
      </header>
      <main>
        <h2 id="pages">Servlets</h2>
        <p>The tutorial’s pages, streams, and a guest from npm.</p>
        <ul aria-labelledby="pages">
          ${PAGES.map(card)}
        </ul>
        <h2 id="offenders">Servlets that misbehave</h2>
        <p>Each is stopped at the wall it runs into, with a page that names the limit. Its neighbours never notice.</p>
        <ul aria-labelledby="offenders" class="offenders">
          ${OFFENDERS.map(card)}
        </ul>
      </main>
    </body>
  </html>`;

function card([href, name, what]: Example): Html {
  return html`<li>
    <a href="${href}">${name}</a>
    <p>${what}</p>
  </li>`;
}

/** The examples, listed and explained. */
export default function index(): Html {
  return PAGE;
}
