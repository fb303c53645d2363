import { AsyncLocalStorage } from 'node:async_hooks';

/** Something that holds a resource and can be made to let it go. `close` may be called when it is closed already. */
export interface Closable {
  close(): void | Promise<void>;
  /** What the resource is, for a person: `connection 127.0.0.1:40312`. */
  readonly label: string;
  /** Memory that the resource accounts for, in bytes, where that is known. */
  memoryUse?(): number;
}

/** The custodian was shut down: nothing more can be put into it. */
export class CustodianShutError extends Error {
  override readonly name = 'CustodianShutError';
  readonly code = 'CUSTODIAN_SHUT';
}

const current = new AsyncLocalStorage<Custodian>();

/**
 * A container of closable things: listeners, sockets, cells, leases, timers, temp directories, other custodians.
 * Shutting it down closes all of them. @see Racket `make-custodian`, `custodian-shutdown-all`
 *
 * @example
 * ```ts
 * const custodian = new Custodian('batch', null);
 * const timer = setInterval(() => {}, 1000);
 * custodian.own({ label: 'timer', close: () => clearInterval(timer) });
 * await custodian.shutdownAll();
 * ```
 */
export class Custodian implements Closable, AsyncDisposable {
  readonly label: string;
  readonly #parent: Custodian | null;
  readonly #members = new Set<Closable>();
  #memoryMaxBytes = Infinity;
  #shutdown: Promise<void> | null = null;

  /** A custodian inside `parent`; `null` makes a root. Default: inside the current one, if any. */
  constructor(label: string, parent: Custodian | null = Custodian.current ?? null) {
    this.label = label;
    this.#parent = parent;
    parent?.own(this);
  }

  /** The custodian that newly made resources belong to. @see Racket `current-custodian` */
  static get current(): Custodian | undefined {
    return current.getStore();
  }

  /** Runs `body` with this custodian as the current one. @see Racket `parameterize` of `current-custodian` */
  run<T>(body: () => T): T {
    return current.run(this, body);
  }

  get isShut(): boolean {
    return this.#shutdown !== null;
  }

  /** Puts a resource into this custodian. A shut one closes it at once. @throws CustodianShutError */
  own<T extends Closable>(resource: T): T {
    if (this.#shutdown !== null) {
      void Promise.resolve(resource.close()).catch(() => {});
      throw new CustodianShutError(`Cannot hold ${resource.label}: custodian "${this.label}" is shut`);
    }
    this.#members.add(resource);
    return resource;
  }

  /** Takes a resource out, because it has closed by itself. */
  disown(resource: Closable): void {
    this.#members.delete(resource);
  }

  /** What it holds, oldest first. @see Racket `custodian-managed-list` */
  managed(): readonly Closable[] {
    return [...this.#members];
  }

  /** Everything that it holds, through its child custodians, as a tree of labels: what a test asserts to be empty. */
  describe(): string[] {
    return [...this.#members].flatMap((member) =>
      member instanceof Custodian ? [member.label, ...member.describe().map((line) => `  ${line}`)] : [member.label],
    );
  }

  /** Shuts the custodian down when what it holds takes more than `bytes`. @see Racket `custodian-limit-memory` */
  limitMemory(bytes: number): void {
    this.#memoryMaxBytes = bytes;
  }

  /** Memory of all that it holds, in bytes, as far as it is accounted for. @see Racket `current-memory-use` */
  memoryUse(): number {
    let bytes = 0;
    for (const member of this.#members) bytes += member.memoryUse?.() ?? 0;
    return bytes;
  }

  /** Holds this custodian and those inside it to their memory limits. Returns those that it had to shut down. */
  enforceMemory(): Custodian[] {
    if (this.memoryUse() > this.#memoryMaxBytes) {
      void this.shutdownAll().catch(() => {});
      return [this];
    }
    return [...this.#members].flatMap((member) => (member instanceof Custodian ? member.enforceMemory() : []));
  }

  /**
   * Closes everything, newest first, children before their parents. A second call returns the first one's promise.
   * @throws AggregateError of all that went wrong; everything has been tried nevertheless.
   */
  shutdownAll(): Promise<void> {
    // Marked shut before anything closes, so that nothing registers late.
    if (this.#shutdown === null) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#shutdown = promise;
      this.#closeMembers().then(resolve, reject);
    }
    return this.#shutdown;
  }

  close(): Promise<void> {
    return this.shutdownAll();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdownAll();
  }

  async #closeMembers(): Promise<void> {
    const errors: unknown[] = [];
    const closing: Promise<unknown>[] = [];
    // Every close begins in this turn: an active connection is cut now, not after its elders have taken their time.
    for (const member of [...this.#members].reverse()) {
      try {
        const closed = member.close();
        if (closed !== undefined) closing.push(closed.catch((error: unknown) => errors.push(error)));
      } catch (error) {
        errors.push(error);
      }
    }
    await Promise.all(closing);
    this.#members.clear();
    this.#parent?.disown(this);
    if (errors.length > 0) {
      throw new AggregateError(errors, `Cannot close everything in custodian "${this.label}": ${errors.length} failed`);
    }
  }
}
