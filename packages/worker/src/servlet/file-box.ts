import { type Answer, ask, AskError } from '../asks.ts';
import { registerSerializable } from '../continuation/serialize/registered.ts';

/** No value was ever put into the box, and it has no initial one. */
export class FileBoxEmptyError extends Error {
  override readonly name = 'FileBoxEmptyError';
  readonly code = 'SERVLET_FILE_BOX_EMPTY';
  constructor(name: string) {
    super(`Cannot read file box "${name}": it is empty`);
  }
}

/** How often a change is tried again when another one comes first. */
const TRIES_MAX_COUNT = 100;
const VALUE_MAX_BYTES = 2 << 20;

/**
 * A variable in a file of the host's: all threads of the servlet share it, and it survives a restart. Values are copied
 * in and out, as they are into pages.
 */
export class FileBox<Value> {
  readonly #name: string;
  readonly #initial: { value: Value } | null;

  constructor(name: string, initial: { value: Value } | null) {
    this.#name = name;
    this.#initial = initial;
  }

  /** @throws FileBoxEmptyError */
  async get(): Promise<Value> {
    return (await this.#read()).value;
  }

  /** Resolves when the value is on the disk. @throws UnserializableError */
  async set(value: Value): Promise<void> {
    await this.#write(value);
  }

  /** Does it hold a value? */
  async has(): Promise<boolean> {
    if (this.#initial !== null) return true;
    const answer = await ask('file-box', { get: this.#name });
    answer.cancel();
    return versionIn(answer) !== null;
  }

  /**
   * Sets the value to what `change` makes of the present one, with nothing in between: another change that comes first
   * has `change` called again.
   * @returns the new value
   * @throws FileBoxEmptyError
   * @example const visits = await counter.update((n) => n + 1);
   */
  async update(change: (value: Value) => Value | Promise<Value>): Promise<Value> {
    for (let tries = 1; ; tries++) {
      const { value, version } = await this.#read();
      const changed = await change(value);
      try {
        await this.#write(changed, version);
        return changed;
      } catch (error) {
        if (!isConflict(error) || tries === TRIES_MAX_COUNT) throw error;
      }
    }
  }

  async #read(): Promise<{ value: Value; version: string }> {
    const { decodeGraph } = await import('../continuation/serialize/graph.ts');
    for (;;) {
      const answer = await ask('file-box', { get: this.#name });
      const version = versionIn(answer);
      if (version !== null) return { value: decodeGraph(await answer.bytes(VALUE_MAX_BYTES))[0] as Value, version };
      if (this.#initial === null) throw new FileBoxEmptyError(this.#name);
      // Whoever else does it at the same time may come first.
      await this.#write(this.#initial.value, null).catch((error: unknown) => {
        if (!isConflict(error)) throw error;
      });
    }
  }

  async #write(value: Value, version?: string | null): Promise<void> {
    const { encodeGraph } = await import('../continuation/serialize/graph.ts');
    const body = encodeGraph([value], ['the value of a file box']);
    await ask('file-box', version === undefined ? { set: this.#name } : { set: this.#name, if: version }, { body });
  }

  static {
    registerSerializable(
      FileBox,
      (box) => [box.#name, box.#initial],
      (saved) => new FileBox(...(saved as [string, { value: unknown } | null])),
      { name: 'custodian.FileBox' },
    );
  }
}

/**
 * A file box of the servlet's own, known by its name. The initial value is put in when it is read first and holds none;
 * what it holds already stays.
 * @param name 1 to 255 characters; no path
 * @throws RangeError
 * @see Racket `file-box`
 *
 * @example
 * ```ts
 * async function start() {
 *   const visits = fileBox('visits', 0);
 *   return html`<p>You are number ${await visits.update((count) => count + 1)}.</p>`;
 * }
 * ```
 */
export function fileBox<Value>(name: string, ...initial: [] | [value: Value]): FileBox<Value> {
  if (name === '' || name.length > 255) throw new RangeError('Cannot make a file box: its name is empty, or too long');
  return new FileBox(name, initial.length === 0 ? null : { value: initial[0] });
}

function versionIn(answer: Answer): string | null {
  return (answer.json() as { version: string | null }).version;
}

function isConflict(error: unknown): boolean {
  return error instanceof AskError && error.code === 'FILE_BOX_CONFLICT';
}
