import { createHash } from 'node:crypto';
import { type FileBinding, html, type Html, type ServletRequest } from '@custodian/worker';

/** Shows what each file of a form is. Their bytes stream through the thread, so that a large one needs little memory. */
export default async function upload(request: ServletRequest): Promise<Html> {
  const shown: Html[] = [];
  for (const file of request.bindings.files('file')) {
    shown.push(html`<li>${file.filename}: ${file.size} bytes of ${file.type}, SHA-256 ${await sha256(file)}</li>`);
  }
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
            max-width: 100%;
          }
          li {
            overflow-wrap: anywhere;
          }
        </style>
      </head>
      <body>
        ${
          shown.length > 0 &&
          html`<ul role="status">
            ${shown}
          </ul>`
        }
        <form method="post" enctype="multipart/form-data">
          <p>
            <label>Files to send: <input type="file" name="file" multiple required /></label>
          </p>
          <input type="submit" value="Send them" />
        </form>
      </body>
    </html>`;
}

async function sha256(file: FileBinding): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of file.stream()) hash.update(piece);
  return hash.digest('hex');
}
