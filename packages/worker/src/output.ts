import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import timers from 'node:timers';
import { type FrameWriter, type LogLevel, ToHost } from '@custodian/protocol';

const LINE_MAX_CHARS = 8 * 1024;
/** An empty line, too, is one in the log. */
const LINE_MIN_BYTES = 64;
/** For what says how much of a line was cut. */
const MARK_BYTES = 48;
const TELL_MS = 1000;
/** By this name Node tells the streams of a thread that its supervisor has taken what they printed. */
const TAKEN = 'kStdioWantsMoreDataCallback';

// As they were before the servlet ran, which could else print more than it may, or have a line fail that is over.
const now: () => number = performance.now.bind(performance);
const { clearTimeout, setTimeout } = timers;
const byteLength = Buffer.byteLength.bind(Buffer);
const { max, min } = Math;

/**
 * Sends what the servlet prints to the acceptor's log, and hides the thread's real streams: they hold the port to the
 * supervisor's message handler, where forged messages do harm.
 */
export function replaceOutput(writer: FrameWriter, maxBytesPerSecond: number): void {
  const budget = new OutputBudget(maxBytesPerSecond, (dropped) =>
    sendLine(writer, 2, `${dropped} lines of output were dropped: too much in a second`),
  );
  const stdout = lineStream(writer, budget, 1);
  const stderr = lineStream(writer, budget, 3);
  for (const [name, stream] of [
    ['stdout', stdout],
    ['stderr', stderr],
  ] as const) {
    retire(process[name], stream);
    Object.defineProperty(process, name, { value: stream, configurable: false, enumerable: true, writable: false });
  }
  // By Node's own console go its warnings, and it keeps the streams that it has once printed to.
  Object.assign(globalThis.console, { _stdout: stdout, _stderr: stderr });
  globalThis.console = new Console({ stdout, stderr });
}

/**
 * Node has nothing more to do with a stream of the thread: what was printed before goes out now, as a write that is open would go on
 * among methods that a guest has replaced; and the one in its place is told when that has been taken, which is nothing to it.
 */
function retire(stream: Writable, successor: Writable): void {
  const members = Object.getPrototypeOf(stream) as Record<symbol, () => void>;
  for (const key of Object.getOwnPropertySymbols(members)) {
    if (key.description !== TAKEN) continue;
    for (let left = Infinity; stream.writableLength > 0 && stream.writableLength < left;) {
      left = stream.writableLength;
      members[key]?.call(stream);
    }
    Object.defineProperty(successor, key, { value: () => {} });
  }
}

/** So much output a second; the rest is dropped and counted, so that a flood costs the thread and nobody else. */
class OutputBudget {
  readonly #maxBytesPerSecond: number;
  readonly #onDropped: (count: number) => void;
  #bytes: number;
  #refilledAt = now();
  #dropped = 0;
  #timer: NodeJS.Timeout | null = null;

  /** `onDropped`: tells how many lines were dropped, before the next line that goes out, a second after the first of them at the latest. */
  constructor(maxBytesPerSecond: number, onDropped: (count: number) => void) {
    this.#maxBytesPerSecond = maxBytesPerSecond;
    this.#bytes = maxBytesPerSecond;
    this.#onDropped = onDropped;
  }

  /** The line, or as much of it as may ever go out, with a mark that says what is missing; null: it is dropped now, and counted. */
  take(line: string): string | null {
    const at = now();
    const refilled = this.#bytes + ((at - this.#refilledAt) * this.#maxBytesPerSecond) / 1000;
    this.#bytes = min(this.#maxBytesPerSecond, refilled);
    this.#refilledAt = at;
    const text = cut(line, this.#maxBytesPerSecond - LINE_MIN_BYTES);
    // The mark alone may be more than a tiny budget.
    const bytes = min(LINE_MIN_BYTES + byteLength(text), this.#maxBytesPerSecond);
    if (this.#bytes < bytes || bytes === 0) {
      this.#dropped++;
      this.#timer ??= setTimeout(() => this.#tellDropped(), TELL_MS).unref();
      return null;
    }
    this.#bytes -= bytes;
    this.#tellDropped();
    return text;
  }

  #tellDropped(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#dropped > 0) this.#onDropped(this.#dropped);
    this.#dropped = 0;
  }
}

/** A line of so many bytes at the most; what is cut is counted in its place. */
function cut(line: string, maxBytes: number): string {
  if (line.length <= LINE_MAX_CHARS && byteLength(line) <= maxBytes) return line;
  // Both end before a character that is not whole.
  const bytes = Buffer.from(line.slice(0, LINE_MAX_CHARS).replace(/[\ud800-\udbff]$/, ''));
  const kept = new StringDecoder().write(bytes.subarray(0, max(0, maxBytes - MARK_BYTES)));
  return `${kept}… (${line.length - kept.length} more characters were cut)`;
}

function lineStream(writer: FrameWriter, budget: OutputBudget, level: LogLevel): Writable {
  let partial = '';
  function emit(line: string): void {
    const text = budget.take(line);
    if (text !== null) sendLine(writer, level, text);
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
