import { ProtocolError } from './frame.ts';

/** The control stream between the acceptor and a cell's supervisor: one JSON value a line, a few lines a second. */
const LINE_MAX_BYTES = 256 * 1024;

/** Cuts a byte stream into JSON values. @throws ProtocolError on a line that is too long or is not JSON. */
export class JsonLineReader {
  readonly #onValue: (value: unknown) => void;
  #pending = '';

  constructor(onValue: (value: unknown) => void) {
    this.#onValue = onValue;
  }

  push(chunk: Buffer): void {
    const lines = (this.#pending + chunk.toString('latin1')).split('\n');
    this.#pending = lines.pop() ?? '';
    if (this.#pending.length > LINE_MAX_BYTES) throw new ProtocolError('Cannot read a control line: it is too long');
    for (const line of lines) {
      let value: unknown;
      try {
        value = JSON.parse(Buffer.from(line, 'latin1').toString('utf8'));
      } catch (cause) {
        throw new ProtocolError('Cannot read a control line: it is not JSON', { cause });
      }
      this.#onValue(value);
    }
  }
}

export function writeJsonLine(sink: { write(text: string): unknown }, value: unknown): void {
  sink.write(`${JSON.stringify(value)}\n`);
}
