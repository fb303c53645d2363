import { randomBytes } from 'node:crypto';
import {
  createIdCookie,
  fileBox,
  html,
  type Html,
  isSameText,
  logoutIdCookie,
  redirectTo,
  requestIdCookie,
  type ServletRequest,
  type ServletResult,
  setCookie,
} from '@custodian/worker';

const DAY_SECONDS = 86_400;
/** A program of its own would keep salted hashes, and not here. */
const PASSWORDS = new Map([
  ['ada', 'analytical'],
  ['grace', 'compiler'],
]);
/** All threads sign with the same key, and it outlives a restart. */
const keyBox = fileBox('login-key', randomBytes(32).toString('base64'));

/** Who logs in gets a signed cookie, which says who it is, and can't be written by anybody else. */
export default async function login(request: ServletRequest): Promise<ServletResult> {
  const key = await keyBox.get();
  const visitor = requestIdCookie(request, 'visitor', { key, shelfLifeSeconds: DAY_SECONDS });
  if (request.method !== 'POST') return visitor === null ? page('Log in', form()) : page('Hello', welcome(visitor));
  if (request.bindings.has('logout')) return setCookie(redirectTo('/login', 'see-other'), logoutIdCookie('visitor'));
  const name = request.bindings.single('name');
  const isRight = isSameText(request.bindings.single('password'), PASSWORDS.get(name) ?? '') && PASSWORDS.has(name);
  if (!isRight)
    return { status: 403, body: page('Log in', form(name, 'This name and this password do not belong together.')) };
  // Refresh asks for the page anew, and does not send the password again.
  const cookie = createIdCookie('visitor', name, { key, secure: request.isSecure, maxAgeSeconds: DAY_SECONDS });
  return setCookie(redirectTo('/login', 'see-other'), cookie);
}

function form(name = '', problem = ''): Html {
  return html`${problem !== '' && html`<p class="problem" role="alert">${problem}</p>`}
    <form action="/login" method="post">
      <label>Name <input type="text" name="name" value="${name}" autocomplete="username" required /></label>
      <label> Password <input type="password" name="password" autocomplete="current-password" required /> </label>
      <button type="submit">Log in</button>
    </form>
    <p class="hint">
      Try <code>ada</code> with <code>analytical</code>, or <code>grace</code> with <code>compiler</code>.
    </p>`;
}

function welcome(visitor: string): Html {
  return html`<p>You are logged in as <strong>${visitor}</strong>, for a day.</p>
    <form action="/login" method="post"><button type="submit" name="logout" value="1">Log out</button></form>`;
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
            max-width: 24rem;
            padding: 0 1rem;
          }
          label,
          input {
            display: block;
          }
          input,
          button {
            box-sizing: border-box;
            font: inherit;
            padding: 0.4rem 0.75rem;
          }
          input {
            margin: 0.2rem 0 1rem;
            width: 100%;
          }
          .problem {
            border-left: 0.25rem solid #b3261e;
            padding-left: 0.75rem;
          }
          .hint {
            font-size: 1rem;
          }
        </style>
      </head>
      <body>
        <h1>${title}</h1>
        ${content}
      </body>
    </html>`;
}
