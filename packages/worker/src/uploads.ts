import { ask, AskError } from './asks.ts';
import { FileGoneError } from './http/file-binding.ts';

/** Reads the file that is a part of a form, from where the acceptor keeps it. */
export async function* readUpload(form: string, part: number): AsyncGenerator<Uint8Array, void, undefined> {
  let answer: Awaited<ReturnType<typeof ask>> | null = null;
  try {
    answer = await ask('upload', { form, part });
    for await (const piece of answer.body ?? []) yield piece;
    answer = null;
  } catch (error) {
    answer = null;
    if (!(error instanceof AskError)) throw error;
    throw new FileGoneError('Cannot read the file: the request that it came with is over', { cause: error });
  } finally {
    // Whoever stops reading in the middle.
    answer?.cancel();
  }
}
