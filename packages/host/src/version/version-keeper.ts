import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoreMissing, sweepPartials, writeDurably } from '../durable-file.ts';

/** So many of one servlet are kept. */
const VERSIONS_MAX_COUNT = 10;
const CODE_ENDING = '.json';
const RETIRED_ENDING = '.json.retired';

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

export interface VersionKeeperOptions {
  /** How long an old version of a servlet is kept. */
  keepMs: (servlet: string) => number;
  /** Is told when a file could not be removed. */
  onFault: (error: unknown) => void;
}

/** Keeps the compiled code of servlets over edits and restarts, so that open pages can finish in the code that they began in. */
export class VersionKeeper {
  readonly #root: string;
  /** Oldest first. */
  readonly #byServlet = new Map<string, Map<string, Known>>();
  readonly #keepMs: (servlet: string) => number;
  readonly #onFault: (error: unknown) => void;

  constructor(root: string, { keepMs, onFault }: VersionKeeperOptions) {
    this.#root = root;
    this.#keepMs = keepMs;
    this.#onFault = onFault;
  }

  /** Reads what was kept before of these servlets. Of no other is anything known. */
  async open(servlets: Iterable<string>): Promise<void> {
    await sweepPartials(this.#partials);
    for (const servlet of servlets) this.#byServlet.set(servlet, await this.#read(servlet));
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
    const known = versions.get(present);
    if (known === undefined) return false;
    // One that is present again is the newest, and the last to make room.
    versions.delete(present);
    versions.set(present, known);
    return true;
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
    return join(this.#directoryOf(servlet), id + CODE_ENDING);
  }

  /** It can't be run any more. */
  forget(servlet: string, id: string): void {
    this.#versionsOf(servlet).delete(id);
    const directory = this.#directoryOf(servlet);
    for (const ending of [CODE_ENDING, RETIRED_ENDING])
      rm(join(directory, id + ending), { force: true }).catch(this.#onFault);
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
    const file = join(this.#directoryOf(servlet), id + RETIRED_ENDING);
    if (retiredAt === null) await rm(file, { force: true });
    else await writeDurably(file, Buffer.from(String(retiredAt)), { partials: this.#partials });
  }

  #versionsOf(servlet: string): Map<string, Known> {
    let versions = this.#byServlet.get(servlet);
    if (versions === undefined) this.#byServlet.set(servlet, (versions = new Map()));
    return versions;
  }

  /** What is on the disk. What can't be read, or is left of what is gone, goes. */
  async #read(servlet: string): Promise<Map<string, Known>> {
    const directory = this.#directoryOf(servlet);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const names = await readdir(directory);
    const found: [id: string, known: Known][] = [];
    for (const name of names) {
      const id = idIn(name);
      const known = name === id + CODE_ENDING ? await readKnown(directory, id) : null;
      if (known !== null) found.push([id, known]);
    }
    const ids = new Set(found.map(([id]) => id));
    for (const name of names) if (!ids.has(idIn(name))) await rm(join(directory, name), { force: true });
    found.sort(([, left], [, right]) => (left.retiredAt ?? Infinity) - (right.retiredAt ?? Infinity));
    return new Map(found);
  }
}

/** Which version a file is of. */
function idIn(name: string): string {
  return name.slice(0, name.indexOf('.'));
}

/** null: it is no version. */
async function readKnown(directory: string, id: string): Promise<Known | null> {
  try {
    const { compiler, modules } = JSON.parse(await readFile(join(directory, id + CODE_ENDING), 'utf8')) as KeptVersion;
    const retired = await readFile(join(directory, id + RETIRED_ENDING), 'utf8').catch(ignoreMissing);
    return { compiler, modules: new Map(modules), retiredAt: retired === undefined ? null : Number(retired) };
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
