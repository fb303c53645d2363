import { ConfigError } from '../config-error.ts';

/** What stands at which path: the longest mount that a path begins with, element by element. */
export class Mounts<T> {
  readonly #mounts = new Map<string, T>();
  #depth = 0;
  /** The paths asked for last, as they were sent. */
  #recent = new Map<string, T | null>();

  /** @throws ConfigError when the path is taken */
  checkFree(mount: string): void {
    const path = trimSlashes(mount);
    if (this.#mounts.has(path)) throw new ConfigError(`Cannot mount a servlet at "/${path}": another one is there`);
  }

  /** @throws ConfigError when the path is taken */
  add(mount: string, value: T): void {
    this.checkFree(mount);
    const path = trimSlashes(mount);
    this.#mounts.set(path, value);
    this.#depth = Math.max(this.#depth, path === '' ? 0 : path.split('/').length);
    this.#recent.clear();
  }

  /** The value for a request target (RFC 9112 §3.2); path parameters and the query are left out of account. */
  find(target: string): T | null {
    const cut = target.search(/[?;#]/);
    const path = cut < 0 ? target : target.slice(0, cut);
    let found = this.#recent.get(path);
    if (found === undefined) {
      found = this.#lookUp(path);
      if (this.#recent.size >= RECENT_MAX_COUNT) this.#recent.clear();
      if (path.length <= RECENT_MAX_CHARS) this.#recent.set(path, found);
    }
    return found;
  }

  #lookUp(path: string): T | null {
    const elements = elementsOf(path);
    if (elements === null) return null;
    // A mount's elements have no slash in them; those behind them may: they are the servlet's business.
    const slashed = elements.findIndex((element) => element.includes('/'));
    const length = slashed === -1 ? elements.length : slashed;
    for (let count = Math.min(this.#depth, length); count > 0; count--) {
      const found = this.#mounts.get(elements.slice(0, count).join('/'));
      if (found !== undefined) return found;
    }
    // The root's own page answers for nothing else: what is unknown is to be called so.
    return elements.length === 0 ? (this.#mounts.get('') ?? null) : null;
  }
}

const RECENT_MAX_COUNT = 4096;
const RECENT_MAX_CHARS = 256;

function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}

/** The decoded elements of a path; `null` when it can't be decoded or climbs. */
function elementsOf(path: string): string[] | null {
  // The whole server (RFC 9112 §3.2.4) is whoever has the root.
  const withoutOrigin = path === '*' ? '' : path.replace(/^https?:\/\/[^/]*/i, '');
  try {
    const elements = trimSlashes(withoutOrigin).split('/').map(decodeURIComponent);
    if (elements.includes('..')) return null;
    return elements.length === 1 && elements[0] === '' ? [] : elements;
  } catch {
    return null;
  }
}
