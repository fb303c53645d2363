import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

let directory: string | null = null;
let file: string | null = null;

/** The thread's: where its servlet is. */
export function setServletUrl(url: string): void {
  file = url.startsWith('file:') ? fileURLToPath(url) : null;
  directory = url.startsWith('file:') ? fileURLToPath(new URL('.', url)) : null;
}

/** The module of the thread's servlet. */
export function servletFile(): string | null {
  return file;
}

/** A file as a servlet names it: by a path from its own directory (in a program, from the current one), or by a URL. */
export function besideServlet(path: string | URL): string {
  if (typeof path !== 'string') return fileURLToPath(path);
  return directory === null ? resolve(path) : resolve(directory, path);
}
