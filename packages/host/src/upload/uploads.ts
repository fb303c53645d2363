import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { encodeForm } from '@custodian/protocol';
import type { Closable } from '../custodian.ts';
import type { BodyBudget } from '../http/body-budget.ts';
import { UNCODED } from '../http/body-coding.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Limits } from '../limits.ts';
import { type Answer, type Ask, faultText, type Service, ServiceError } from '../service/service.ts';
import { FormReader, malformed } from './form-reader.ts';
import { parseParameterized } from './parameters.ts';
import { Spool, SpoolClosedError, SpoolFullError, type SpoolPlace } from './spool.ts';

/** RFC 2046 §5.1.1 allows 70 characters; Racket's server takes twice as many. */
const BOUNDARY_MAX_CHARS = 140;

/** The multipart forms of all requests, and the service that brings their files into threads. */
export class Uploads implements Service, SpoolPlace {
  readonly name = 'upload';
  readonly directory: string;
  readonly memory: BodyBudget;
  readonly #spoolMaxBytes: number;
  readonly #warn: (text: string) => void;
  readonly #forms = new Map<string, UploadedForm>();
  #spooledBytes = 0;
  #hasDirectory = false;

  /** `directory`: made when the first file goes there. `warn`: writes to the host's log. */
  constructor(directory: string, spoolMaxBytes: number, memory: BodyBudget, warn: (text: string) => void) {
    this.#warn = warn;
    this.directory = directory;
    this.memory = memory;
    this.#spoolMaxBytes = spoolMaxBytes;
  }

  /** Bytes on disk at present. */
  get spooledBytes(): number {
    return this.#spooledBytes;
  }

  reserve(bytes: number): boolean {
    if (this.#spooledBytes + bytes > this.#spoolMaxBytes) return false;
    this.#spooledBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#spooledBytes -= bytes;
  }

  /**
   * Reads the form of a request as it arrives, and then calls `onRead`: what a thread gets for its body is the form. A
   * form that can't be read, or is over a limit, is refused here.
   */
  read(exchange: Exchange, servlet: string, limits: Limits, onRead: () => void): void {
    const coding = exchange.header('content-encoding');
    const type = parseParameterized(exchange.header('content-type') ?? '');
    const boundary = type?.parameters.get('boundary') ?? '';
    if (coding !== undefined && coding.toLowerCase() !== 'identity')
      return exchange.refuse({
        status: 415,
        title: 'Unsupported coding',
        text: `This server reads no form that is coded with "${coding.slice(0, 40)}".`,
        code: 'REQUEST_CONTENT_CODING',
        headers: UNCODED,
      });
    if (boundary === '' || boundary.length > BOUNDARY_MAX_CHARS)
      return exchange.refuse(malformed('its type names no boundary'));
    if (!this.#hasDirectory) {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      this.#hasDirectory = true;
    }
    const spool = new Spool(`form for ${exchange.connection.label}`, this, limits.formFileMemoryMaxBytes);
    const form = new UploadedForm(exchange, servlet, spool, () => this.#forms.delete(form.id));
    this.#forms.set(form.id, form);
    const intake = exchange.intake();
    const reader = new FormReader(boundary, limits, spool, {
      onRead: () => {
        exchange.hasForm = true;
        intake.replace(encodeForm({ id: form.id, boundary, parts: reader.parts }));
        onRead();
      },
      onFailed: (problem, error) => {
        if (error !== undefined && !(error instanceof SpoolFullError)) this.#warn(faultText(this.name, error));
        exchange.refuse(problem);
      },
      onMemorySpent: () => exchange.connection.onBodiesSpent(exchange),
      onDrain: () => intake.resume(),
    });
    form.reader = reader;
    // Its file has no name any more: if it can't be closed, nothing is left that anybody could find.
    exchange.whenDone(() => void form.close().catch(() => {}));
    intake.divert(reader);
  }

  /** Brings a file: `{ form, part }`. */
  answer(ask: Ask): Answer {
    const { form: id, part: number } = ask.json();
    const form = this.#forms.get(String(id));
    const part = form?.reader?.parts[Number(number)];
    // Numbers of forms can't be guessed; a servlet that was told one by another gets nothing for it.
    if (form === undefined || part === undefined || form.servlet !== ask.servlet.name) throw gone();
    return { body: form.content(part) };
  }
}

/** A form, from its first byte until its request is over. */
export class UploadedForm implements Closable {
  readonly id: string = randomUUID();
  readonly label: string;
  readonly servlet: string;
  reader: FormReader | null = null;
  readonly #spool: Spool;
  readonly #exchange: Exchange;
  readonly #onClose: () => void;

  constructor(exchange: Exchange, servlet: string, spool: Spool, onClose: () => void) {
    this.#exchange = exchange;
    this.servlet = servlet;
    this.label = spool.label;
    this.#spool = spool;
    this.#onClose = onClose;
    exchange.connection.custodian.own(this);
  }

  memoryUse(): number {
    return this.#spool.memoryUse();
  }

  async *content({ start, bytes }: { start: number; bytes: number }): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#spool.read(start, start + bytes);
    } catch (error) {
      throw error instanceof SpoolClosedError ? gone() : error;
    }
  }

  close(): Promise<void> {
    this.#onClose();
    this.reader?.abort();
    this.#exchange.connection.custodian.disown(this);
    return this.#spool.close();
  }
}

function gone(): ServiceError {
  return new ServiceError('UPLOAD_GONE', 'Cannot read the file: its request is over');
}
