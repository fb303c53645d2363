import { Readable } from 'node:stream';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import * as zlib from 'node:zlib';
import { type Answer, ask, AskError } from '../asks.ts';

/** A fetch that failed: a TypeError, as the Fetch standard has it, with a code that says why. */
export class FetchError extends TypeError {
  override readonly name = 'FetchError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

interface Head {
  status: number;
  statusText: string;
  headers: [name: string, value: string][];
  url: string;
  isRedirected: boolean;
}

/** A body up to this size is read before it is sent, and can be sent again where a redirection asks for it. */
const WHOLE_BODY_MAX_BYTES = 64 * 1024;
const CODINGS = 'gzip, deflate, br';
const CODINGS_MAX_COUNT = 4;
const BODILESS: readonly number[] = [204, 205, 304];
/** As they were before the servlet ran. */
const { Request, Response, ReadableStream } = globalThis;

/**
 * `fetch` of a guest, which has no network: the acceptor makes the call, by its operator's rules, and streams the answer
 * back. It is aborted with its signal, or when the request that it belongs to is over or its client has left.
 * @throws FetchError
 */
export async function brokeredFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const headers: [string, string][] = [];
  request.headers.forEach((value, name) => headers.push([name, value]));
  if (!request.headers.has('accept-encoding')) headers.push(['accept-encoding', CODINGS]);
  const { method, redirect, signal } = request;
  const body = request.body === null ? null : await readStart(request.body);
  const bodyBytes = body instanceof Uint8Array ? body.length : null;
  const answer = await ask('fetch', { url: request.url, method, headers, redirect, bodyBytes }, { body, signal }).catch(
    (error: unknown) => {
      throw fetchErrorOf(error);
    },
  );
  return responseOf(answer, answer.json() as Head, method);
}

function responseOf(answer: Answer, head: Head, method: string): Response {
  const { status, statusText, headers, url, isRedirected } = head;
  const hasBody = answer.body !== null && method !== 'HEAD' && !BODILESS.includes(status);
  if (!hasBody) answer.cancel();
  const body = hasBody ? decoded(streamOf(answer), codingsOf(headers)) : null;
  let response: Response;
  try {
    response = new Response(body, { status, statusText, headers });
  } catch (cause) {
    answer.cancel();
    throw new FetchError('FETCH_FAILED', 'Cannot fetch: the answer is no HTTP', { cause });
  }
  // What was made by hand knows neither.
  Object.defineProperties(response, { url: { value: url }, redirected: { value: isRedirected } });
  return response;
}

/** A short body whole; else a stream of it from the start. */
async function readStart(body: ReadableStream<Uint8Array>): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const reader = body.getReader();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= WHOLE_BODY_MAX_BYTES) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(pieces);
    pieces.push(value);
    bytes += value.length;
  }
  return rest(reader, pieces);
}

async function* rest(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  pieces: readonly Uint8Array[],
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Reads as fast as the servlet does; when it has enough, the acceptor hears of it. */
function streamOf(answer: Answer): ReadableStream<Uint8Array> {
  const pieces = (answer.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next();
          if (done !== true) return controller.enqueue(value as Uint8Array<ArrayBuffer>);
          controller.close();
        } catch (error) {
          throw fetchErrorOf(error);
        }
      },
      cancel: () => answer.cancel(),
    },
    { highWaterMark: 0 },
  );
}

/** What the body was encoded with, last first. */
function codingsOf(headers: readonly [string, string][]): string[] {
  const named = headers.filter(([name]) => name.toLowerCase() === 'content-encoding').map(([, value]) => value);
  const codings = named.join(',').toLowerCase().split(',');
  return codings
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity')
    .reverse();
}

/** Inflated here: whoever sends a bomb meets the caps of this thread. What nobody knows is left as it is. */
function decoded(stream: ReadableStream<Uint8Array>, codings: readonly string[]): ReadableStream<Uint8Array> {
  const decoders = codings.map(decoderOf);
  if (decoders.length === 0 || decoders.length > CODINGS_MAX_COUNT || decoders.includes(null)) return stream;
  let readable: Readable = Readable.fromWeb(stream as NodeStream<Uint8Array>);
  for (const decoder of decoders as zlib.Gunzip[]) {
    const source = readable;
    source.on('error', (error) => decoder.destroy(error));
    decoder.on('close', () => source.destroy());
    readable = source.pipe(decoder);
  }
  return Readable.toWeb(readable) as ReadableStream<Uint8Array>;
}

function decoderOf(coding: string): zlib.Gunzip | zlib.Inflate | zlib.BrotliDecompress | zlib.ZstdDecompress | null {
  // As browsers do: a cut end is not held against it.
  const flush = { flush: zlib.constants.Z_SYNC_FLUSH, finishFlush: zlib.constants.Z_SYNC_FLUSH };
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip(flush);
    case 'deflate':
      return zlib.createInflate(flush);
    case 'br':
      return zlib.createBrotliDecompress({
        flush: zlib.constants.BROTLI_OPERATION_FLUSH,
        finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH,
      });
    case 'zstd':
      return zlib.createZstdDecompress();
    default:
      return null;
  }
}

/** Who aborts gets back the reason. */
function fetchErrorOf(error: unknown): unknown {
  return error instanceof AskError ? new FetchError(error.code, error.message, { cause: error }) : error;
}
