import { DecodeError } from '../continuation/serialize/errors.ts';
import { readVarint, varint } from '../stuffer/bytes.ts';

/** What a checkpoint says of an instance besides the graph of its pages. */
export interface CheckpointHead {
  /** ms since 1970. */
  savedAt: number;
  nextId: number;
  mark: number;
  timeoutMs: number;
  /** Those in the graph, oldest first. */
  pages: [id: number, nonce: string, mark: number][];
  /** Those that could not be saved, and why. */
  losses: [id: number, nonce: string, why: string][];
}

/** A checkpoint as it is sealed: a head as JSON, with its length in front, and a graph. */
export function writeRecord(head: CheckpointHead, graph: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  return Buffer.concat([Uint8Array.from(varint(json.length)), json, graph]);
}

/** @throws DecodeError */
export function readRecord(bytes: Buffer): { head: CheckpointHead; graph: Uint8Array } {
  const length = readVarint(bytes, 0);
  try {
    if (length !== null) {
      const end = length.end + length.value;
      const head = JSON.parse(bytes.toString('utf8', length.end, end)) as CheckpointHead;
      if (Array.isArray(head.pages) && Array.isArray(head.losses)) return { head, graph: bytes.subarray(end) };
    }
  } catch {
    // Said below.
  }
  throw new DecodeError('Cannot read a checkpoint: it is something else');
}
