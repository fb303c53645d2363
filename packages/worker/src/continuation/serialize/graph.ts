import { blame, type RootNames } from './blame.ts';
import { tagLoadedCode } from './code-values.ts';
import { CodeChangedError, DecodeError } from './errors.ts';
import { GraphReader } from './graph-reader.ts';
import { type Found, GraphWriter } from './graph-writer.ts';
import { Refusal } from './refusal.ts';
import { WaysNeeded } from './ways.ts';

/**
 * Writes values, and all that they lead to, as bytes: what is shared among them stays shared, cycles are kept. Code is named by
 * its place in its module, and the bytes carry the hash of every module that is named.
 * @param names what the roots are, for messages
 * @throws UnserializableError
 */
export function encodeGraph(roots: readonly unknown[], names: RootNames = []): Uint8Array {
  tagLoadedCode();
  try {
    return write(new GraphWriter(), roots);
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof WaysNeeded)) throw error;
  }
  // Once more, with all that is hardly ever worth remembering: which nodes lead where, and the way to a value that can't be written.
  const found = new Map<object, Found>(),
    writer = new GraphWriter({ found, knowsWays: true });
  try {
    return write(writer, roots);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw blame(error, { holder: writer.holder, at: writer.at }, found, names);
  }
}

function write(writer: GraphWriter, roots: readonly unknown[]): Uint8Array {
  writer.bytes.varint(roots.length);
  for (let i = 0; i < roots.length; i++) {
    writer.at = i;
    writer.write(roots[i]);
  }
  return writer.finish();
}

/**
 * Reads the roots again. The modules whose code they need must be loaded.
 * @throws CodeChangedError when one of them is not what it was
 * @throws DecodeError when the bytes are not what {@link encodeGraph} makes
 */
export function decodeGraph(bytes: Uint8Array): unknown[] {
  tagLoadedCode();
  try {
    const reader = new GraphReader(bytes),
      roots: unknown[] = [];
    for (let count = reader.bytes.count(); count > 0; count--) roots.push(reader.read());
    reader.finish();
    return roots;
  } catch (error) {
    if (error instanceof CodeChangedError || error instanceof DecodeError) throw error;
    throw new DecodeError('Cannot decode a continuation: something in it can not be made', { cause: error });
  }
}
