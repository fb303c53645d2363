import { decodeForm, type ReadForm, type ReadPart } from '@custodian/protocol';
import { type Binding, FormBinding } from './bindings.ts';
import { FileBinding } from './file-binding.ts';

/** Opens the n-th part of a form, which is a file. `form`: the form's id. */
export type OpenPart = (form: string, part: number) => AsyncIterable<Uint8Array>;

/** A multipart form as the host has read it: the fields are here, the files are there. */
export class MultipartForm {
  readonly bindings: readonly Binding[];
  readonly #form: ReadForm;
  readonly #open: OpenPart;

  constructor(bytes: Uint8Array, open: OpenPart) {
    this.#form = decodeForm(bytes);
    this.#open = open;
    this.bindings = this.#form.parts.map((part, index) =>
      part.value === null ? new FileBinding(part, () => open(this.#form.id, index)) : field(part, part.value),
    );
  }

  /** Bytes of {@link body}. */
  get bodyBytes(): number {
    const { parts } = this.#form;
    return parts.reduce((bytes, part) => bytes + this.#head(part).length + part.bytes + 2, this.#tail.length);
  }

  /**
   * The form as a body again: the same boundary, the same parts in the same order, with all their headers. What stood
   * around the parts is not kept, nor the case of header names.
   */
  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    for (const [index, part] of this.#form.parts.entries()) {
      yield this.#head(part);
      if (part.value !== null) yield part.value;
      else if (part.bytes > 0) yield* this.#open(this.#form.id, index);
      yield CRLF;
    }
    yield this.#tail;
  }

  get #tail(): Uint8Array {
    return Buffer.from(`--${this.#form.boundary}--\r\n`, 'latin1');
  }

  #head(part: ReadPart): Uint8Array {
    const lines = part.headers.map(([name, value]) => `${titleCase(name)}: ${value}\r\n`).join('');
    return Buffer.from(`--${this.#form.boundary}\r\n${lines}\r\n`, 'latin1');
  }
}

const CRLF: Uint8Array = Buffer.from('\r\n');

function field(part: ReadPart, value: Uint8Array): FormBinding {
  return new FormBinding(part.name, new TextDecoder(part.charset, { ignoreBOM: true }).decode(value), () => value);
}

/** `content-type` as browsers write it: `Content-Type`. */
function titleCase(name: string): string {
  return name.replace(/(?<![^-])[a-z]/g, (letter) => letter.toUpperCase());
}
