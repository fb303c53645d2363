import { DecodeError } from './errors.ts';

const FIRST_BYTES = 512;

/** Bytes that grow. */
export class ByteWriter {
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  /** What was written; the memory is the writer's own. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #room(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  u8(value: number): void {
    if (this.#at === this.#bytes.length) this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte, lowest first. */
  varint(value: number): void {
    this.#room(8);
    while (value > 0x7f) {
      this.#bytes[this.#at++] = (value % 0x80) | 0x80;
      value = value > 0x7fffffff ? Math.floor(value / 0x80) : value >>> 7;
    }
    this.#bytes[this.#at++] = value;
  }

  double(value: number): void {
    this.#room(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  latin1(text: string): void {
    this.#room(text.length);
    this.#at += this.#bytes.write(text, this.#at, 'latin1');
  }

  utf16(text: string): void {
    this.#room(text.length * 2);
    this.#at += this.#bytes.write(text, this.#at, 'utf16le');
  }

  /** With its length in bytes before it. */
  utf8(text: string): void {
    const length = Buffer.byteLength(text);
    this.varint(length);
    this.#room(length);
    this.#at += this.#bytes.write(text, this.#at, 'utf8');
  }
}

/** Reads what a {@link ByteWriter} wrote, and never beyond it. @throws DecodeError */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new DecodeError('Cannot decode a continuation: it is cut short');
    this.#at = at + count;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#bytes[this.#take(1)] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      if (factor > 0x1_0000_0000_0000) throw new DecodeError('Cannot decode a continuation: a number is too long');
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError('Cannot decode a continuation: a number is too large');
    return value;
  }

  /** How many things follow, each of which takes a byte at least. */
  count(): number {
    const count = this.varint();
    if (count > this.left) throw new DecodeError('Cannot decode a continuation: it is cut short');
    return count;
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  /** A copy. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  latin1(length: number): string {
    const at = this.#take(length);
    return this.#bytes.toString('latin1', at, at + length);
  }

  /** `length` in characters. */
  utf16(length: number): string {
    const at = this.#take(length * 2);
    return this.#bytes.toString('utf16le', at, at + length * 2);
  }

  utf8(): string {
    const length = this.varint(),
      at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }
}
