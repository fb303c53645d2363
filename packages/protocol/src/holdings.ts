import { ProtocolError } from './frame.ts';

/** So many of a thread's instances are told, and so many continuations of each: the newest. */
export const INSTANCES_TOLD = 50;
export const CONTINUATIONS_TOLD = 20;

export interface HeldContinuation {
  number: number;
  bytes: number;
  ageMs: number;
}

/** One visitor's run, with its continuations. */
export interface HeldInstance {
  number: number;
  /** Continuations that it has, and about how many bytes they keep alive. */
  continuations: number;
  bytes: number;
  ageMs: number;
  /** The newest {@link CONTINUATIONS_TOLD} of them, newest first. */
  newest: HeldContinuation[];
}

/** What a thread holds, for who wants to see it. */
export interface Holdings {
  /** Instances that there are. */
  instances: number;
  /** The newest {@link INSTANCES_TOLD} of them, newest first. */
  newest: HeldInstance[];
}

const U32_MAX = 0xffffffff;
const WORDS_PER_INSTANCE = 5;
const WORDS_PER_CONTINUATION = 3;

/** As the payload of a frame: u32 words, ages in seconds. */
export function writeHoldings({ instances, newest }: Holdings): Buffer {
  const words = [instances, newest.length];
  for (const each of newest) {
    words.push(each.number, each.continuations, each.bytes, each.ageMs / 1000, each.newest.length);
    for (const { number, bytes, ageMs } of each.newest) words.push(number, bytes, ageMs / 1000);
  }
  const payload = Buffer.allocUnsafe(words.length * 4);
  words.forEach((word, index) => payload.writeUInt32BE(Math.min(U32_MAX, Math.max(0, Math.round(word))), index * 4));
  return payload;
}

/** What came from a thread, checked. @throws ProtocolError on anything that a thread's runtime never sends */
export function readHoldings(payload: Buffer): Holdings {
  let at = 0;
  const word = (): number => {
    if (at + 4 > payload.length) throw new ProtocolError('Cannot read what a thread holds: it is cut short');
    at += 4;
    return payload.readUInt32BE(at - 4);
  };
  const countOf = (max: number, words: number): number => {
    const count = word();
    if (count > max || count * words * 4 > payload.length - at)
      throw new ProtocolError(`Cannot read what a thread holds: it is cut short, or has ${count} where ${max} may be`);
    return count;
  };
  const holdings: Holdings = { instances: word(), newest: [] };
  for (let left = countOf(INSTANCES_TOLD, WORDS_PER_INSTANCE); left > 0; left--) {
    const [number, continuations, bytes, ageS] = [word(), word(), word(), word()];
    const instance: HeldInstance = { number, continuations, bytes, ageMs: ageS * 1000, newest: [] };
    for (let more = countOf(CONTINUATIONS_TOLD, WORDS_PER_CONTINUATION); more > 0; more--)
      instance.newest.push({ number: word(), bytes: word(), ageMs: word() * 1000 });
    holdings.newest.push(instance);
  }
  if (at !== payload.length) throw new ProtocolError('Cannot read what a thread holds: there is more than it says');
  return holdings;
}
