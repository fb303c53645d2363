import { readFileSync, type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ConfigError } from './config-error.ts';
import type { Closable } from './custodian.ts';

/** How often the files are looked at. */
const POLL_MS = 1000;

export interface CertificateFiles {
  /** PEM: the server's certificate, then those between it and the root. */
  cert: string;
  /** PEM. */
  key: string;
}

/** What TLS listeners are given. */
export interface CertificatePair {
  cert: Buffer;
  key: Buffer;
}

/** A certificate and its key, read from two files, and again when these have changed. */
export class Certificate implements Closable {
  readonly label: string;
  readonly #files: CertificateFiles;
  readonly #onFault: (text: string) => void;
  readonly #onChange: ((pair: CertificatePair) => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  #pair: CertificatePair;
  /** Of the files that were read last, and of those that were seen last. */
  #read: string;
  #seen: string;
  #isLooking = false;

  /** `onFault` hears of each new pair that can't be used. @throws ConfigError when this one can't */
  constructor(files: CertificateFiles, onFault: (text: string) => void) {
    this.label = `certificate ${files.cert}`;
    this.#files = files;
    this.#onFault = onFault;
    // Before they are read: what changes meanwhile is seen later.
    this.#read = [files.cert, files.key].map((path) => version(statSync(path, { throwIfNoEntry: false }))).join(', ');
    this.#seen = this.#read;
    try {
      this.#pair = readPair(files);
    } catch (cause) {
      throw new ConfigError(`Cannot use certificate "${files.cert}" with key "${files.key}": ${reasonOf(cause)}`, {
        cause,
      });
    }
    this.#timer = setInterval(() => void this.#look(), POLL_MS);
    this.#timer.unref();
  }

  get pair(): CertificatePair {
    return this.#pair;
  }

  onChange(listener: (pair: CertificatePair) => void): void {
    this.#onChange.push(listener);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const now = await versionOf(this.#files);
    this.#isLooking = false;
    const isSettled = now === this.#seen;
    this.#seen = now;
    // Both files are written one after the other: what is still changing is not looked at yet.
    if (!isSettled || now === this.#read) return;
    this.#read = now;
    this.#reload();
  }

  #reload(): void {
    try {
      this.#pair = readPair(this.#files);
    } catch (error) {
      this.#onFault(`the certificate stays as it was: "${this.#files.cert}" can not be used: ${reasonOf(error)}`);
      return;
    }
    for (const listener of this.#onChange) listener(this.#pair);
  }
}

/** @throws when a file can't be read, is no PEM, or the key is not the certificate's */
function readPair(files: CertificateFiles): CertificatePair {
  const pair = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
  createSecureContext(pair);
  return pair;
}

async function versionOf(files: CertificateFiles): Promise<string> {
  const versions = await Promise.all(
    [files.cert, files.key].map((path) => stat(path).then(version, () => version(undefined))),
  );
  return versions.join(', ');
}

function version(found: Stats | undefined): string {
  return found === undefined ? 'missing' : `${found.mtimeMs} ${found.size} ${found.ino}`;
}

function reasonOf(error: unknown): string {
  const { code, message, reason } = error as { code?: string; message: string; reason?: string };
  return code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' ? 'the key belongs to another certificate' : (reason ?? message);
}
