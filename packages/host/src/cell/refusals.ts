import { type Failure, withoutToken, withoutVersion } from '@custodian/protocol';
import type { Exchange } from '../http/exchange.ts';
import type { Bench } from './bench.ts';
import { busyPage, deathPage, failurePage, gonePage, latePage } from './death-page.ts';
import type { HeldServlet } from './held-servlet.ts';
import type { Obituary } from './obituary.ts';

/** What visitors are answered whom a servlet's threads have not answered, each for its reason. */
export class Refusals {
  /** Where the servlet says that a visit begins; null: where the visitor is. */
  startUrl: string | null = null;
  readonly #servlet: HeldServlet;
  readonly #bench: Bench;
  /** Authors are shown more than visitors. */
  readonly #isDevelopment: boolean;

  constructor(servlet: HeldServlet, bench: Bench, isDevelopment: boolean) {
    this.#servlet = servlet;
    this.#bench = bench;
    this.#isDevelopment = isDevelopment;
  }

  /** Too many wait already. */
  full(exchange: Exchange): void {
    exchange.refuse(busyPage('LIMIT_QUEUE', this.#servlet.name, null));
  }

  /** It has waited too long: for any thread, or for the one that it must have. */
  waitedTooLong(exchange: Exchange, forWhich: 'any' | 'its own'): void {
    const error = forWhich === 'any' ? this.#lastError : null;
    exchange.refuse(busyPage('LIMIT_QUEUE_TIMEOUT', this.#servlet.name, error));
  }

  /** All threads are with visitors who rest; `roomInMs`: one of them makes room by then. */
  allAtRest(exchange: Exchange, roomInMs: number): void {
    exchange.refuse(busyPage('LIMIT_THREADS', this.#servlet.name, null, roomInMs));
  }

  /** The servlet fails whenever it is started, and is not started again now. */
  benched(exchange: Exchange): void {
    exchange.refuse(busyPage('SERVLET_BENCHED', this.#servlet.name, this.#lastError, this.#bench.waitMs));
  }

  /** It waited for a start that failed. */
  notLoaded(exchange: Exchange): void {
    exchange.refuse(failurePage(this.#bench.lastFailure, this.#servlet.name, this.#isDevelopment, exchange, true));
  }

  /** Its thread died of another request, and it may not be repeated. */
  bystander(exchange: Exchange): void {
    exchange.refuse(busyPage('SERVLET_BYSTANDER', this.#servlet.name, null));
  }

  /** Its thread died of it. */
  died(exchange: Exchange, obituary: Obituary, failure: Failure | null): void {
    exchange.refuse(deathPage(obituary, this.#isDevelopment, failure, exchange));
  }

  /** The thread of the continuation that it asks for has died. */
  gone(exchange: Exchange, obituary: Obituary): void {
    const startUrl = this.startUrl ?? withoutVersion(withoutToken(exchange.url)).replace(/^[/\\]+/, '/');
    exchange.refuseKept(gonePage(obituary, startUrl, this.#isDevelopment));
  }

  /** The servlet threw. */
  failed(exchange: Exchange, failure: Failure): void {
    exchange.refuseKept(failurePage(failure, this.#servlet.name, this.#isDevelopment, exchange));
  }

  /** It has run too long in a thread that others share. */
  ranTooLong(exchange: Exchange, wallMs: number): void {
    exchange.refuse(latePage(this.#servlet.name, wallMs));
  }

  get #lastError(): string | null {
    return this.#isDevelopment ? this.#bench.lastError : null;
  }
}
