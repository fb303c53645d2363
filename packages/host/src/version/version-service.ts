import { ProtocolError } from '@custodian/protocol';
import type { Answer, Ask, Service } from '../service/service.ts';
import { bodyOf, Shares } from '../service/shares.ts';
import { StoreTooLargeError } from '../store/store.ts';
import type { KeptVersion, ModuleHash, VersionKeeper } from './version-keeper.ts';

/** The code of one version is no longer. */
const CODE_MAX_BYTES = 8 << 20;
const MODULES_MAX_COUNT = 2000;
/** A thread keeps its code once, while it loads, and few load at once. */
const KEEPING_MAX_COUNT = 64;
const KEEPING_MAX_BYTES = 64 << 20;

/**
 * Lets threads keep the code that they run, and find who has an older one. `{ present: modules, compiler }` is answered
 * with `{ isKept }`; `{ keep: true }` with the whole version as a body; `{ find: modules, compiler }` with `{ version }`, or null.
 */
export class VersionService implements Service {
  readonly name = 'version';
  readonly #keeper: VersionKeeper;
  readonly #keeping = new Shares(KEEPING_MAX_COUNT, KEEPING_MAX_BYTES);

  constructor(keeper: VersionKeeper) {
    this.#keeper = keeper;
  }

  async answer(ask: Ask): Promise<Answer> {
    const { present, keep, find, compiler } = ask.json();
    const { name: servlet } = ask.servlet;
    if (keep === true) {
      await this.#keep(ask);
      return {};
    }
    if (typeof compiler === 'string' && isModules(present))
      return { head: { isKept: await this.#keeper.setPresent(servlet, compiler, present) } };
    if (typeof compiler === 'string' && isModules(find))
      return { head: { version: this.#keeper.find(servlet, compiler, find) } };
    throw new ProtocolError('Cannot read an ask about versions: it is neither present, keep nor find');
  }

  /** When too much of the servlet's comes at once, nothing is kept: others of its threads are sending the same code. */
  async #keep(ask: Ask): Promise<void> {
    const { name } = ask.servlet;
    const busy = new Error('Too many threads of a servlet send its version at once');
    const tooLarge = (bytes: number): Error => new StoreTooLargeError(name, bytes, CODE_MAX_BYTES);
    const tooMuch = (): Error => busy;
    try {
      await this.#keeping.with(name, tooMuch, async (share) => {
        const bytes = await bodyOf(ask, share, { maxBytes: CODE_MAX_BYTES, tooLarge, tooMuch });
        await this.#keeper.keep(name, readVersion(bytes));
      });
    } catch (error) {
      // The answer tells the thread to send no more.
      if (error !== busy) throw error;
    }
  }
}

function isModules(value: unknown): value is ModuleHash[] {
  return (
    Array.isArray(value) &&
    value.length <= MODULES_MAX_COUNT &&
    value.every((each) => Array.isArray(each) && each.length === 2 && each.every((part) => typeof part === 'string'))
  );
}

/** @throws ProtocolError */
function readVersion(bytes: Uint8Array): KeptVersion {
  try {
    const { compiler, persistence, modules, code } = JSON.parse(Buffer.from(bytes).toString('utf8')) as KeptVersion;
    const isCode = Object.values(code).every((text) => typeof text === 'string');
    const isSaved = persistence === 'stateless' || persistence === 'checkpoint';
    if (typeof compiler === 'string' && isSaved && isModules(modules) && isCode)
      return { compiler, persistence, modules, code };
  } catch {
    // Said below.
  }
  throw new ProtocolError('Cannot read a version of a servlet: it is something else');
}
