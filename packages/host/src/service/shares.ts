import { CHUNK_COST_BYTES } from '@custodian/protocol';
import type { Ask } from './service.ts';

/** What servlets have under way at once: so many each, and so many bytes. None of them can use up another's. */
export class Shares {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  /** By servlet's name, while it has any. */
  readonly #shares = new Map<string, { count: number; bytes: number }>();

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  /** One more of a servlet's; it must be closed, once. null: it has so many. */
  open(servlet: string): Share | null {
    const share = this.#shares.get(servlet) ?? { count: 0, bytes: 0 };
    if (share.count >= this.#maxCount) return null;
    this.#shares.set(servlet, share);
    share.count++;
    let held = 0;
    return {
      take: (bytes) => {
        held += bytes;
        share.bytes += bytes;
        return share.bytes <= this.#maxBytes;
      },
      close: () => {
        share.bytes -= held;
        if (--share.count === 0) this.#shares.delete(servlet);
      },
    };
  }

  /** Runs something with one more of a servlet's. @throws what `tooMuch` makes, when it has so many; what `run` throws */
  async with<Result>(servlet: string, tooMuch: () => Error, run: (share: Share) => Promise<Result>): Promise<Result> {
    const share = this.open(servlet);
    if (share === null) throw tooMuch();
    try {
      return await run(share);
    } finally {
      share.close();
    }
  }
}

export interface Share {
  /** So many bytes more are held. `false`: they are too many. */
  take: (bytes: number) => boolean;
  close: () => void;
}

/**
 * The body of an ask, whole, as a part of its servlet's share. Pieces count for more than their bytes: many small ones
 * take more memory.
 */
export async function bodyOf(
  { body }: Ask,
  share: Share,
  { maxBytes, tooLarge, tooMuch }: { maxBytes: number; tooLarge: (bytes: number) => Error; tooMuch: () => Error },
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > maxBytes) throw tooLarge(bytes);
    if (!share.take(piece.length + CHUNK_COST_BYTES)) throw tooMuch();
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
