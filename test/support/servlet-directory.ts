import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A temporary directory of servlets, written from strings. Each gets an ending of `.mjs` unless it has its own. */
export class ServletDirectory implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'custodian-test-'));

  constructor(servlets: Readonly<Record<string, string>> = {}) {
    for (const [name, code] of Object.entries(servlets)) this.write(name, code);
  }

  /** @returns the file's path */
  write(name: string, code: string): string {
    const file = this.file(name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code);
    return file;
  }

  file(name: string): string {
    return join(this.path, /\.m?[jt]s$/.test(name) ? name : `${name}.mjs`);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
