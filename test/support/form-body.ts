/** One part of a multipart body, written by hand. */
export interface WrittenPart {
  name: string;
  filename?: string;
  type?: string;
  content: string | Uint8Array;
}

export const BOUNDARY = '----custodian-test';

/** A body as browsers write it. */
export function formBody(parts: readonly WrittenPart[]): Buffer {
  const pieces = parts.flatMap(({ name, filename, type, content }) => [
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n`,
    filename === undefined ? '' : `Content-Type: ${type ?? 'application/octet-stream'}\r\n`,
    '\r\n',
    content,
    '\r\n',
  ]);
  return Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece as string)));
}

/** A whole request around it. */
export function formRequest(path: string, body: Uint8Array, headers = ''): Buffer {
  return Buffer.concat([Buffer.from(formHead(path, body.length, headers)), body]);
}

export function formHead(path: string, bytes: number, headers = ''): string {
  return (
    `POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n` +
    `Content-Length: ${bytes}\r\n${headers}\r\n`
  );
}
