import { registerSerializable } from '../continuation/serialize/registered.ts';
import { ownValue } from '../continuation/serialize/properties.ts';
import { contextFor } from './context.ts';

/** The value of a server reference is not here any more: its thread has ended, or it has expired. */
export class NoServerRefError extends Error {
  override readonly name = 'NoServerRefError';
  readonly code = 'SERVLET_NO_SERVER_REF';
  constructor() {
    super('Cannot find the value of a server reference: its thread has ended, or it has expired');
  }
}

/** What a value is taken to weigh: nobody knows what is behind it. */
const VALUE_BYTES = 1024;

/** What the manager keeps of a reference: it is no page. */
export class ServerValue<Value> {
  readonly value: Value;

  constructor(value: Value) {
    this.value = value;
  }
}

interface Address {
  place: string;
  instance: number;
  id: number;
  nonce: string;
}

/**
 * A value that stays in its thread, while a page that refers to it is saved. The page's answer goes to that thread as
 * long as it lives.
 */
export class ServerRef<Value> {
  readonly #address: Address;

  constructor(address: Address) {
    this.#address = address;
  }

  /** @throws NoServerRefError */
  get(): Value {
    const { place, manager } = contextFor('read a server reference').site;
    const { instance, id, nonce } = this.#address;
    try {
      if (place === this.#address.place) return (manager.lookup(instance, id, nonce) as ServerValue<Value>).value;
    } catch {
      // It has expired there: the same to whoever asks.
    }
    throw new NoServerRefError();
  }

  static {
    registerSerializable(
      ServerRef,
      (ref) => {
        referred = ref.#address.place;
        return { ...ref.#address };
      },
      (address) => new ServerRef(addressOf(address)),
      { name: 'custodian.ServerRef' },
    );
  }
}

function addressOf(data: unknown): Address {
  const [place, instance, id, nonce] = ['place', 'instance', 'id', 'nonce'].map((key) => ownValue(data as object, key));
  if (typeof place !== 'string' || typeof instance !== 'number' || typeof id !== 'number' || typeof nonce !== 'string')
    throw new TypeError('Cannot make a server reference: its address is none');
  return { place, instance, id, nonce };
}

/** The thread that what was saved last refers to. */
let referred: string | null = null;

/** The thread to which something that was saved since the last call refers; null: any will do. */
export function takeReferred(): string | null {
  const taken = referred;
  referred = null;
  return taken;
}

/**
 * Keeps a value that can't be saved, such as a connection, in the thread's manager, where it expires like a page of a
 * stateful servlet; a restart ends it.
 *
 * @example
 * ```ts
 * async function start(connect: () => Promise<{ query(text: string): Promise<string> }>) {
 *   const database = serverRef(await connect());
 *   await sendSuspend((url) => html`<a href="${url}">Ask</a>`);
 *   return html`<p>${await database.get().query('SELECT 1')}</p>`;
 * }
 * ```
 */
export function serverRef<Value>(value: Value): ServerRef<Value> {
  const context = contextFor('keep a server reference');
  const { place, manager } = context.site;
  if (context.instance === 0 || !manager.hasInstance(context.instance)) context.instance = manager.createInstance();
  const { instance } = context;
  const [id, nonce] = manager.store(instance, new ServerValue(value), null, VALUE_BYTES);
  return new ServerRef({ place, instance, id, nonce });
}
