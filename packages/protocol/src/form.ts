// For whoever compiles against the published declarations.
/// <reference types="node" preserve="true" />
import { ProtocolError } from './frame.ts';

/** A part of a multipart form, as the acceptor has read it. */
export interface FormPart {
  name: string;
  /** null: a field. Else a file's name, without its directories; "" from a file input that was left empty. */
  filename: string | null;
  /** The media type without its parameters; `text/plain` when the part names none. */
  type: string;
  /** What a field's text is written in. */
  charset: string;
  /** The part's headers, names in lower case. */
  headers: [name: string, value: string][];
  bytes: number;
}

/** A field with its value, a file without: files stay where the acceptor has put them until the thread asks for them. */
export interface ReadPart extends FormPart {
  value: Uint8Array | null;
}

export interface ReadForm {
  /** What the thread names it by when it asks for a file of it. */
  id: string;
  boundary: string;
  parts: ReadPart[];
}

/**
 * A form in the place of its request's body: `u32 bytes of JSON | JSON | the fields' values, one after the other`.
 * @returns pieces that may be sent one by one
 */
export function encodeForm(form: ReadForm): Uint8Array[] {
  const parts = form.parts.map(({ name, filename, type, charset, headers, bytes }): FormPart => ({
    name,
    filename,
    type,
    charset,
    headers,
    bytes,
  }));
  const json = Buffer.from(JSON.stringify({ id: form.id, boundary: form.boundary, parts }));
  const head = Buffer.allocUnsafe(4);
  head.writeUInt32BE(json.length);
  return [head, json, ...form.parts.flatMap(({ value }) => (value === null || value.length === 0 ? [] : [value]))];
}

/** @throws ProtocolError when it is cut short */
export function decodeForm(bytes: Uint8Array): ReadForm {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 4 + (buffer.length < 4 ? Infinity : buffer.readUInt32BE(0));
  if (at > buffer.length) throw new ProtocolError('Cannot read a form: it is cut short');
  const form = JSON.parse(buffer.toString('utf8', 4, at)) as { id: string; boundary: string; parts: FormPart[] };
  return {
    id: form.id,
    boundary: form.boundary,
    parts: form.parts.map((part) => {
      if (part.filename !== null) return { ...part, value: null };
      const value = buffer.subarray(at, at + part.bytes);
      at += part.bytes;
      if (value.length < part.bytes) throw new ProtocolError('Cannot read a form: it is cut short');
      return { ...part, value };
    }),
  };
}
