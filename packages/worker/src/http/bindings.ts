import type { FileBinding } from './file-binding.ts';

/** A field that must be there exactly once is absent or repeated. */
export class BindingError extends Error {
  override readonly name = 'BindingError';
  readonly code = 'SERVLET_BINDING';
}

/**
 * One field that is no file.
 * @see Racket `binding:form`
 */
export class FormBinding {
  readonly name: string;
  /** The value as text: UTF-8, where what is not becomes U+FFFD; or what the field says that it is written in. */
  readonly value: string;
  readonly #bytes: () => Uint8Array;

  /** `bytes`: makes the value's bytes, when they are asked for. */
  constructor(name: string, value: string, bytes: () => Uint8Array) {
    this.name = name;
    this.value = value;
    this.#bytes = bytes;
  }

  /** The value as it was sent, decoded but not read as text. @see Racket `binding:form-value` */
  bytes(): Uint8Array {
    return this.#bytes();
  }
}

export type Binding = FormBinding | FileBinding;

/**
 * The fields of a form or a query in the order in which they were sent, repeats kept. Names are case-sensitive.
 * @see Racket `request-bindings/raw`, `bindings-assq`, `extract-binding/single`
 * @example
 * const name = request.bindings.get('name') ?? 'World';
 * const photo = request.bindings.file('photo');
 */
export class Bindings implements Iterable<[name: string, value: string | FileBinding]> {
  /** All of them, in order. */
  readonly all: readonly Binding[];

  constructor(all: readonly Binding[]) {
    this.all = all;
  }

  get size(): number {
    return this.all.length;
  }

  /** The text of the first field of that name. */
  get(name: string): string | undefined {
    return this.#first(name)?.value;
  }

  /** The text of every field of that name, in order. */
  getAll(name: string): string[] {
    return this.#fields(name).map((field) => field.value);
  }

  /** Is there a field or a file of that name? */
  has(name: string): boolean {
    return this.all.some((binding) => binding.name === name);
  }

  /** The text of the only field of that name. @throws BindingError when there is none, or more than one. */
  single(name: string): string {
    return only(this.#fields(name), `the field "${name}"`).value;
  }

  /** The first field of that name, as bytes. */
  getBytes(name: string): Uint8Array | undefined {
    return this.#first(name)?.bytes();
  }

  /** Every field of that name, as bytes, in order. */
  getAllBytes(name: string): Uint8Array[] {
    return this.#fields(name).map((field) => field.bytes());
  }

  /** The first file of that name. A form's file input that was left empty sends one without a name and content: that is none. */
  file(name: string): FileBinding | undefined {
    return this.files(name)[0];
  }

  /** Every file, or every file of that name, in order. */
  files(name?: string): FileBinding[] {
    const files: FileBinding[] = [];
    for (const binding of this.all)
      if (isFile(binding) && (name === undefined || binding.name === name) && !binding.isLeftEmpty) files.push(binding);
    return files;
  }

  /** The only file of that name. @throws BindingError when there is none, or more than one. */
  singleFile(name: string): FileBinding {
    return only(this.files(name), `the file "${name}"`);
  }

  *[Symbol.iterator](): Generator<[name: string, value: string | FileBinding]> {
    for (const binding of this.all) yield [binding.name, isFile(binding) ? binding : binding.value];
  }

  #first(name: string): FormBinding | undefined {
    for (const binding of this.all) if (binding.name === name && !isFile(binding)) return binding;
    return undefined;
  }

  #fields(name: string): FormBinding[] {
    return this.all.filter((binding): binding is FormBinding => binding.name === name && !isFile(binding));
  }
}

function isFile(binding: Binding): binding is FileBinding {
  return 'filename' in binding;
}

function only<Found>(found: readonly Found[], what: string): Found {
  if (found.length === 1) return found[0] as Found;
  const state = found.length === 0 ? 'it was not sent' : `it was sent ${found.length} times`;
  throw new BindingError(`Cannot read ${what}: ${state}`);
}

/**
 * Reads `a=1&b=two+words`. The text has one character per byte, as heads and bodies have on the wire; the fields are
 * UTF-8, and what is not valid UTF-8 becomes U+FFFD. A name without `=` has the value "".
 * @see https://url.spec.whatwg.org/#urlencoded-parsing
 */
export function parseUrlencoded(text: string): FormBinding[] {
  const fields: FormBinding[] = [];
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf('&', start);
    if (end === -1) end = text.length;
    if (end > start) {
      const equals = text.indexOf('=', start);
      const nameEnd = equals === -1 || equals > end ? end : equals;
      const value = text.slice(Math.min(nameEnd + 1, end), end);
      fields.push(new FormBinding(decode(text.slice(start, nameEnd)), decode(value), () => decodeBytes(value)));
    }
    start = end + 1;
  }
  return fields;
}

const IS_ENCODED = /[%+\x80-\xff]/;

function decode(text: string): string {
  return IS_ENCODED.test(text) ? decodeBytes(text).toString('utf8') : text;
}

function decodeBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  let to = 0;
  for (let from = 0; from < bytes.length; from += 1) {
    let byte = bytes[from] as number;
    if (byte === 0x2b) byte = 0x20;
    else if (byte === 0x25) {
      const high = hexDigit(bytes[from + 1]);
      const low = hexDigit(bytes[from + 2]);
      if (high !== -1 && low !== -1) {
        byte = high * 16 + low;
        from += 2;
      }
    }
    bytes[to] = byte;
    to += 1;
  }
  return bytes.subarray(0, to);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
