import { expect, it } from 'vitest';
import type { Exchange } from '../../../packages/host/src/http/exchange.ts';
import { FileBody } from '../../../packages/host/src/http/file-body.ts';
import type { OpenFile } from '../../../packages/host/src/http/open-file.ts';
import { StreamedBody } from '../../../packages/host/src/http/streamed-body.ts';
import { eventually } from '../../support/eventually.ts';

const MB = 1 << 20;

/** An answer of `bytes` on a connection that takes what is written as `takes` says. */
function answerOf(bytes: number, takes: (piece: Uint8Array) => boolean): Exchange {
  const socket = {
    write: (piece: Uint8Array, done: () => void) => {
      if (takes(piece)) setImmediate(done);
    },
  };
  const exchange = { isDone: false, connection: { socket }, endAnswer: () => body.end() };
  const body = new StreamedBody(exchange as unknown as Exchange, 'length', bytes);
  return Object.assign(exchange, { sendChunk: body.send.bind(body) }) as unknown as Exchange;
}

it('FileBody reads as far ahead of its client after small parts, which leave together, as without them', async () => {
  const readsAhead = async (smallCount: number): Promise<number> => {
    const reads: number[] = [];
    const file = {
      read: async (buffer: Buffer, position: number) => {
        reads.push(position);
        return Promise.resolve(buffer.length);
      },
    };
    const small = Array.from({ length: smallCount }, (_, at) => ['--part\r\n', { start: at, end: at + 20 }]).flat();
    const exchange = answerOf(smallCount * 28 + MB, (piece) => piece.length < 1000);
    new FileBody(exchange, file as unknown as OpenFile, [...small, { start: MB, end: 2 * MB }]).start();
    const large = (): number => reads.filter((position) => position >= MB).length;
    return eventually(large, (count) => count === 3, { what: 'the count of large pieces read', ms: 1000 });
  };
  expect(await readsAhead(0)).toBe(3);
  expect(await readsAhead(10)).toBe(3);
});
