import { request } from 'node:http';

const MB = 1 << 20;

/** Servlets that send and count `?mb=` megabytes. */
export const DOWN = `
  const PIECE = Buffer.alloc(65536, 'custodian');
  const body = async function* (count) { for (let i = 0; i < count; i++) yield PIECE; };
  export default (request) => ({ body: body(Number(request.query.get('mb')) * 16) });`;
export const UP = `
  export default async (request) => {
    let bytes = 0;
    for await (const piece of request.body) bytes += piece.length;
    return String(bytes);
  };`;

/** Reads a large body and lets it go. Resolves to its bytes. */
export function streamDown(port: number, mb: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, path: `/down?mb=${mb}` }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.on('end', () => resolve(bytes));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** Sends a large body. Resolves to what the servlet has counted. */
export function streamUp(port: number, mb: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, path: '/up', method: 'POST' }, (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(Number(text)));
    });
    sent.on('error', reject);
    const piece = Buffer.alloc(MB, 'custodian');
    let left = mb;
    const write = (): void => {
      while (left > 0) {
        left--;
        if (!sent.write(piece)) {
          sent.once('drain', write);
          return;
        }
      }
      sent.end();
    };
    write();
  });
}
