import type { FormPart } from '@custodian/protocol';

/** Opens a file where the host has put it. The pieces come no faster than they are read. */
export type OpenFile = () => AsyncIterable<Uint8Array>;

/** A file's content was asked for when its request had been answered already, which is when the host lets go of it. */
export class FileGoneError extends Error {
  override readonly name = 'FileGoneError';
  readonly code = 'SERVLET_FILE_GONE';
}

/**
 * A file that was sent with a multipart form. It lies with the host, in memory or on disk, until its request is
 * answered; what is read of it comes into the thread, and may be read again.
 * @see Racket `binding:file`
 * @example
 * const photo = request.bindings.singleFile('photo');
 * for await (const piece of photo.stream()) hash.update(piece);
 */
export class FileBinding {
  readonly name: string;
  /** As the client calls it, without directories: names like `../x` or `C:\x` are not let through. */
  readonly filename: string;
  /** The media type that the client claims, in lower case, without parameters. */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** The headers of its part as sent, names in lower case. */
  readonly headers: readonly [name: string, value: string][];
  readonly #open: OpenFile;

  constructor(part: FormPart, open: OpenFile) {
    this.name = part.name;
    this.filename = part.filename ?? '';
    this.type = part.type;
    this.size = part.bytes;
    this.headers = part.headers;
    this.#open = open;
  }

  /** A file input that the visitor left empty: browsers send it nevertheless. */
  get isLeftEmpty(): boolean {
    return this.filename === '' && this.size === 0;
  }

  /** The first header of its part of that name, in any case. */
  header(name: string): string | undefined {
    const lowerName = name.toLowerCase();
    return this.headers.find((header) => header[0] === lowerName)?.[1];
  }

  /**
   * The content, piece by piece; in memory is only what was not read yet, 128 KB at the most.
   * @throws FileGoneError while reading, when the request has been answered
   */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let pieces: AsyncIterator<Uint8Array> | null = null;
    return new ReadableStream(
      {
        pull: async (controller) => {
          pieces ??= this.#open()[Symbol.asyncIterator]();
          const { done, value } = await pieces.next();
          if (done === true) controller.close();
          else controller.enqueue(value as Uint8Array<ArrayBuffer>);
        },
        cancel: async () => {
          await pieces?.return?.();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** The whole content; it counts as the thread's memory. @throws FileGoneError when the request has been answered */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(this.size);
    let at = 0;
    for await (const piece of this.#open()) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /** The whole content as UTF-8, a byte order mark dropped. @throws FileGoneError when the request has been answered */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /** The same in WHATWG's form, its content in the thread's memory. @throws FileGoneError when the request has been answered */
  async toFile(): Promise<File> {
    return new File([await this.bytes()], this.filename, { type: this.type });
  }
}
