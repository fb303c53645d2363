import { html, type Html, type ServletRequest } from '@custodian/worker';

/** Counts the bytes of what is posted to it, piece by piece, so that a large body needs little memory. */
export default async function upload(request: ServletRequest): Promise<Html> {
  let bytes = 0;
  for await (const piece of request.body) bytes += piece.length;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <title>Upload</title>
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
          }
        </style>
      </head>
      <body>
        ${request.method === 'POST' && html`<p role="status">The body had ${bytes} bytes.</p>`}
        <form method="post" enctype="multipart/form-data">
          <p>
            <label>File to send: <input type="file" name="file" required /></label>
          </p>
          <input type="submit" value="Count its bytes" />
        </form>
      </body>
    </html>`;
}
