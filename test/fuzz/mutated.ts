import type { Random } from '../support/random.ts';

/** Bytes that say much to a reader: ends of ranges, counts and lengths that are far too large. */
const TELLING: readonly Buffer[] = [
  [0],
  [1],
  [0x7f],
  [0x80],
  [0xff],
  [0xff, 0x7f],
  [0xff, 0xff, 0x03],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
].map((bytes) => Buffer.from(bytes));

/** One to eight changes: bits, bytes, cuts, repeats, and pieces of other samples or words of the format. */
export function mutated(random: Random, sample: Buffer, corpus: readonly Buffer[], words: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(sample);
  for (let changes = 1 + random.number(random.number(4) === 0 ? 8 : 2); changes > 0; changes--)
    bytes = changed(random, bytes, corpus, words);
  return bytes;
}

function changed(random: Random, bytes: Buffer, corpus: readonly Buffer[], words: readonly Buffer[]): Buffer {
  const at = random.number(bytes.length + 1),
    end = at + random.number(Math.min(bytes.length - at, 40) + 1);
  const insert = (piece: Buffer): Buffer => Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  switch (random.number(10)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random.number(8);
      return bytes;
    case 1:
    case 2:
      if (at < bytes.length) bytes[at] = random.number(256);
      return bytes;
    case 3:
      return bytes.subarray(0, at);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 5:
      return insert(bytes.subarray(at, end));
    case 6:
      return insert(random.of(TELLING));
    case 7: {
      const word = random.of(words);
      return random.number(2) === 0
        ? insert(word)
        : Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(at + word.length)]);
    }
    case 8: {
      const other = random.of(corpus),
        from = random.number(other.length);
      return Buffer.concat([
        bytes.subarray(0, at),
        other.subarray(from, from + random.number(60)),
        bytes.subarray(end),
      ]);
    }
    default:
      return insert(random.bytes(1 + random.number(4)));
  }
}
