/** Pages that the host itself answers with: what happened, which limit it was, what to change. */

import { dateLine, statusLine } from './status.ts';

export interface ErrorPage {
  status: number;
  title: string;
  /** What happened, for the visitor. */
  text: string;
  /** The code of docs/errors.md. */
  code: string;
  /** For development: cause, setting, stack. Shown as it is, escaped. */
  detail?: string;
  /** The way on. */
  link?: { href: string; text: string };
  /** Seconds for Retry-After. */
  retryAfterSeconds?: number;
  /** What else it says to the client's program. */
  headers?: Readonly<Record<string, string>>;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const STYLE =
  ':root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:12vh auto;padding:0 1.25rem;overflow-wrap:break-word;color:#1c1c1e;background:#fff}' +
  'h1{font-size:1.4rem}code,pre{font:.9em ui-monospace,monospace}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f5;padding:1rem;border-radius:8px}' +
  'pre span{display:block;overflow-x:auto;white-space:pre}' +
  'small{color:#6b6b70}@media(prefers-color-scheme:dark){body{background:#1c1c1e;color:#ececee}pre{background:#2c2c2e}small{color:#9a9aa0}}';

/** Lines of code, as a code frame has them: escaped, a number and a bar before each, or a bar alone before the caret. */
const CODE = /(?:^(?:&#62;| ) {1,9}(?:\d+ )?\| .*(?:\n|$))+/gm;

/** Code scrolls sideways: where a long line wraps, the caret below it points to nothing. Everything else wraps. */
const detailHtml = (detail: string): string => escapeHtml(detail).replace(CODE, (code) => `<span>${code}</span>`);

/** The page as HTML. */
export function renderErrorPage(page: ErrorPage): string {
  const title = escapeHtml(page.title);
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${title}</title><style>${STYLE}</style></head><body><main><h1>${title}</h1><p>${escapeHtml(page.text)}</p>` +
    (page.detail === undefined ? '' : `<pre>${detailHtml(page.detail)}</pre>`) +
    (page.link === undefined
      ? ''
      : `<p><a href="${escapeHtml(page.link.href)}">${escapeHtml(page.link.text)}</a></p>`) +
    `<small>${page.status} · <code>${escapeHtml(page.code)}</code></small></main></body></html>\n`
  );
}

/** The page as a whole response, for a client whose request could not be read. It closes the connection. */
export function bareAnswer(page: ErrorPage): string {
  const body = Buffer.from(renderErrorPage(page)).toString('latin1');
  const lines = Object.entries(page.headers ?? {})
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  return (
    `${statusLine(page.status, '')}${lines}Content-Type: text/html; charset=utf-8\r\nContent-Length: ${body.length}\r\n` +
    `${dateLine(Date.now())}Connection: close\r\n\r\n${body}`
  );
}

/** The tutorial's page for a path that no servlet answers, word for word; its head makes it readable on a phone and in the dark. */
export function renderUnknownPage(path: string): string {
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
    '<meta name="color-scheme" content="light dark"><title>Error</title></head>' +
    `<body style="overflow-wrap:anywhere"><font color="red">Unknown page: ${escapeHtml(path)}</font></body></html>`
  );
}
