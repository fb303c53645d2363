import type { PlainReply, ServletRequest } from '@custodian/worker';

const PIECE = Buffer.alloc(64 * 1024, 'custodian ');

/** Streams `?mb=` megabytes (default 1), as fast as the client takes them and never more than a few pieces in memory. */
export default function download(request: ServletRequest): PlainReply {
  const pieces = Math.floor(Number(request.query.get('mb') ?? 1) * 16);
  if (!(pieces >= 0)) return { status: 400, body: 'mb is not a number from 0' };
  return {
    headers: {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': 'attachment; filename="download.bin"',
      'Content-Length': pieces * PIECE.length,
    },
    body: repeat(pieces),
  };
}

async function* repeat(pieces: number): AsyncGenerator<Uint8Array> {
  for (let count = 0; count < pieces; count += 1) yield PIECE;
}
