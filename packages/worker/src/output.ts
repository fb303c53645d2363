import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { type FrameWriter, type LogLevel, ToHost } from '@custodian/protocol';

const LINE_MAX_CHARS = 8 * 1024;
/** An empty line, too, is one in the log. */
const LINE_MIN_BYTES = 64;

/**
 * Sends what the servlet prints to the acceptor's log, and hides the thread's real streams: they hold the port to the
 * supervisor's message handler, where forged messages do harm.
 */
export function replaceOutput(writer: FrameWriter, maxBytesPerSecond: number): void {
  const budget = new OutputBudget(maxBytesPerSecond);
  const stdout = lineStream(writer, budget, 1);
  const stderr = lineStream(writer, budget, 3);
  for (const [name, stream] of [
    ['stdout', stdout],
    ['stderr', stderr],
  ] as const) {
    Object.defineProperty(process, name, { value: stream, configurable: false, enumerable: true, writable: false });
  }
  globalThis.console = new Console({ stdout, stderr });
}

/** So much output a second; the rest is dropped and counted, so that a flood costs the thread and nobody else. */
class OutputBudget {
  readonly #maxBytesPerSecond: number;
  #bytes: number;
  #refilledAt = performance.now();
  #dropped = 0;

  constructor(maxBytesPerSecond: number) {
    this.#maxBytesPerSecond = maxBytesPerSecond;
    this.#bytes = maxBytesPerSecond;
  }

  /** May a line of that length go out? Otherwise it is counted as dropped. */
  take(bytes: number): boolean {
    const now = performance.now();
    const refilled = this.#bytes + ((now - this.#refilledAt) * this.#maxBytesPerSecond) / 1000;
    this.#bytes = Math.min(this.#maxBytesPerSecond, refilled);
    this.#refilledAt = now;
    if (this.#bytes < bytes) {
      this.#dropped++;
      return false;
    }
    this.#bytes -= bytes;
    return true;
  }

  /** Lines dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

function lineStream(writer: FrameWriter, budget: OutputBudget, level: LogLevel): Writable {
  let partial = '';
  function emit(line: string): void {
    const text = line.length > LINE_MAX_CHARS ? `${line.slice(0, LINE_MAX_CHARS)}…` : line;
    if (!budget.take(LINE_MIN_BYTES + Buffer.byteLength(text))) return;
    const dropped = budget.takeDropped();
    if (dropped > 0) sendLine(writer, 2, `${dropped} lines of output were dropped: too much in a second`);
    sendLine(writer, level, text);
  }
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const lines = (partial + chunk.toString()).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) emit(line);
      if (partial.length > LINE_MAX_CHARS) {
        emit(partial);
        partial = '';
      }
      done();
    },
  });
}

function sendLine(writer: FrameWriter, level: LogLevel, text: string): void {
  const bytes = Buffer.from(text);
  const start = writer.begin(ToHost.Log, 0, bytes.length + 1);
  writer.buffer[start] = level;
  writer.buffer.set(bytes, start + 1);
  writer.end(start + 1 + bytes.length);
}
