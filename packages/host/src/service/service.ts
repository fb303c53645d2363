import { inspect } from 'node:util';
import { type CreditedReceiver, isServiceName, ProtocolError } from '@custodian/protocol';
import type { HeldServlet } from '../cell/held-servlet.ts';
import type { Exchange } from '../http/exchange.ts';
import { Shares } from './shares.ts';

/** A thread need not take what it has asked for; all threads of a servlet together hold so much here. */
const ANSWERS_MAX_BYTES = 64 << 20;

/** The thread that asks, as who has instances of a servlet: see `homeOf` of the protocol. */
export interface Holder {
  /** Is the instance the thread's: born there, or made again there? */
  holds(home: string): boolean;
  /** It is from now on, unless another living thread has it. */
  adopt(home: string): boolean;
  /** It can't make it again after all. */
  release(home: string): void;
  /** A thread has died that had of the instance what was saved nowhere. */
  isLost(home: string): boolean;
}

/** What a thread asks a service for. All of it is hostile input. */
export interface Ask {
  readonly servlet: HeldServlet;
  /** The request in whose course it is asked; null: in none's. */
  readonly exchange: Exchange | null;
  readonly holder: Holder;
  readonly head: Buffer;
  /** The head as a JSON object. @throws ProtocolError when it is none: no thread's runtime sends that */
  json(): Record<string, unknown>;
  /** Pieces as they come, under the service's own credit; null when there is none. */
  readonly body: CreditedReceiver | null;
  /** Aborted when nobody waits for the answer any more: cancelled, the request is over, the thread or the host ended. */
  readonly signal: AbortSignal;
}

/** What a service comes back with. */
export interface Answer {
  /** Bytes, or what becomes JSON. Default: empty. */
  head?: unknown;
  body?: Uint8Array | AsyncIterable<Uint8Array> | null;
}

/**
 * Something that threads may ask the acceptor for. It runs in the acceptor: it must never wait for a thread, nor
 * hold more of what it is sent than it has to.
 */
export interface Service {
  readonly name: string;
  /** What it does is of no use when the client of the request is gone: it is aborted then. Default `false`. */
  readonly isForClient?: boolean;
  /**
   * @throws ServiceError whose code and message the asker gets; a ProtocolError kills the cell; anything else is a
   *   fault of the service, which is logged, and of which the asker learns no more than `ASK_FAILED`.
   */
  answer(ask: Ask): Answer | Promise<Answer>;
}

/**
 * What a service tells its asker. The message goes to the servlet: it says nothing of the host that a guest may not
 * know. A `cause` is for the operator's log alone.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The services of a host, by name. */
export class Services {
  /** Whole answers that are on their way to threads. */
  readonly answers: Shares = new Shares(Infinity, ANSWERS_MAX_BYTES);
  readonly #byName = new Map<string, Service>();

  constructor(services: Iterable<Service> = []) {
    for (const service of services) this.add(service);
  }

  /** @throws RangeError when there is one of that name, or the name is none */
  add(service: Service): void {
    if (!isServiceName(service.name) || this.#byName.has(service.name))
      throw new RangeError(`Cannot add service "${service.name}": the name is malformed, or taken`);
    this.#byName.set(service.name, service);
  }

  find(name: string): Service | undefined {
    return this.#byName.get(name);
  }
}

/** What the operator gets to read of a service's fault, with its causes. */
export function faultText(service: string, error: unknown): string {
  return `service "${service}" failed: ${inspect(error)}`;
}

/** A head as a JSON object. @throws ProtocolError */
export function readJsonHead(head: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(head.toString('utf8'));
  } catch (cause) {
    throw new ProtocolError('Cannot read an ask: its head is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ProtocolError('Cannot read an ask: its head is no object');
  return value as Record<string, unknown>;
}
