import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../durable-file.ts';

/** So many of one servlet are kept. */
const VERSIONS_MAX_COUNT = 10;

/** A module's name, and the hash of its code. */
export type ModuleHash = readonly [name: string, hash: string];

/** A version of a servlet as it is kept. */
export interface KeptVersion {
  /** Of which compiler the code is: no other can run it. */
  compiler: string;
  persistence: 'stateless' | 'checkpoint';
  modules: readonly ModuleHash[];
  /** By URL, relative to the servlet's directory, which may be another one by the time it is run. */
  code: Readonly<Record<string, string>>;
}

interface Known {
  compiler: string;
  modules: ReadonlyMap<string, string>;
  /** When another version took its place, in ms since 1970; null: it is the present one. */
  retiredAt: number | null;
}

/** Keeps the compiled code of servlets over edits and restarts, so that open pages can finish in the code that they began in. */
export class VersionKeeper {
  readonly #root: string;
  readonly #byServlet = new Map<string, Map<string, Known>>();
  readonly #keepMs: (servlet: string) => number;

  /** @param keepMs how long an old version is kept */
  constructor(root: string, keepMs: (servlet: string) => number) {
    this.#root = root;
    this.#keepMs = keepMs;
  }

  /** A thread runs this now; all others are old from now on. @returns is its code kept? */
  async setPresent(servlet: string, compiler: string, modules: readonly ModuleHash[]): Promise<boolean> {
    const present = idOf(compiler, modules);
    const versions = this.#versionsOf(servlet);
    for (const [id, known] of versions) {
      if (id === present && known.retiredAt !== null) await this.#retire(servlet, id, known, null);
      if (id !== present && known.retiredAt === null) await this.#retire(servlet, id, known, Date.now());
      if (known.compiler !== compiler || this.#isOver(servlet, known)) this.forget(servlet, id);
    }
    return versions.has(present);
  }

  /** Keeps the code of the present version. */
  async keep(servlet: string, version: KeptVersion): Promise<void> {
    const { compiler, modules } = version;
    const id = idOf(compiler, modules);
    await writeDurably(this.fileOf(servlet, id), Buffer.from(JSON.stringify(version)), { partials: this.#partials });
    const versions = this.#versionsOf(servlet);
    versions.set(id, { compiler, modules: new Map(modules), retiredAt: null });
    for (const old of versions.keys()) if (versions.size > VERSIONS_MAX_COUNT) this.forget(servlet, old);
  }

  /** The newest old version that has all of these modules. */
  find(servlet: string, compiler: string, modules: readonly ModuleHash[]): string | null {
    const versions = [...this.#versionsOf(servlet)].reverse();
    for (const [id, known] of versions) {
      if (known.compiler !== compiler || this.#isOver(servlet, known)) continue;
      if (modules.every(([name, hash]) => known.modules.get(name) === hash)) return id;
    }
    return null;
  }

  /** Is that version kept? */
  has(servlet: string, id: string): boolean {
    const known = this.#versionsOf(servlet).get(id);
    return known !== undefined && !this.#isOver(servlet, known);
  }

  fileOf(servlet: string, id: string): string {
    return join(this.#directoryOf(servlet), `${id}.json`);
  }

  get #partials(): string {
    return join(this.#root, 'partial');
  }

  #directoryOf(servlet: string): string {
    return join(this.#root, createHash('sha256').update(servlet).digest('hex').slice(0, 32));
  }

  #isOver(servlet: string, { retiredAt }: Known): boolean {
    return retiredAt !== null && Date.now() - retiredAt > this.#keepMs(servlet);
  }

  async #retire(servlet: string, id: string, known: Known, retiredAt: number | null): Promise<void> {
    known.retiredAt = retiredAt;
    const file = `${this.fileOf(servlet, id)}.retired`;
    if (retiredAt === null) rmSync(file, { force: true });
    else await writeDurably(file, Buffer.from(String(retiredAt)), { partials: this.#partials });
  }

  /** It can't be run any more. */
  forget(servlet: string, id: string): void {
    this.#versionsOf(servlet).delete(id);
    for (const ending of ['', '.retired']) rmSync(`${this.fileOf(servlet, id)}${ending}`, { force: true });
  }

  /** Oldest first. Read from the disk when somebody asks first. */
  #versionsOf(servlet: string): Map<string, Known> {
    let versions = this.#byServlet.get(servlet);
    if (versions === undefined) this.#byServlet.set(servlet, (versions = this.#read(servlet)));
    return versions;
  }

  #read(servlet: string): Map<string, Known> {
    const directory = this.#directoryOf(servlet);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const found: [id: string, known: Known][] = [];
    for (const name of readdirSync(directory)) {
      if (!name.endsWith('.json')) continue;
      const file = join(directory, name);
      try {
        const { compiler, modules } = JSON.parse(readFileSync(file, 'utf8')) as KeptVersion;
        found.push([
          name.slice(0, -'.json'.length),
          { compiler, modules: new Map(modules), retiredAt: retirement(file) },
        ]);
      } catch {
        rmSync(file, { force: true });
      }
    }
    found.sort(([, left], [, right]) => (left.retiredAt ?? Infinity) - (right.retiredAt ?? Infinity));
    return new Map(found);
  }
}

function retirement(file: string): number | null {
  try {
    return Number(readFileSync(`${file}.retired`, 'utf8'));
  } catch {
    return null;
  }
}

function idOf(compiler: string, modules: readonly ModuleHash[]): string {
  const sorted = modules.toSorted(([left], [right]) => (left < right ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([compiler, sorted]))
    .digest('base64url')
    .slice(0, 12);
}
