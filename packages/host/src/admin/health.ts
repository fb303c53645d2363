import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Closable } from '../custodian.ts';

const CANARY_EVERY_MS = 30_000;
/** After a failure it is asked again soon. */
const RETRY_AFTER_MS = 2000;
const CANARY_TIMEOUT_MS = 10_000;

/** What is asked, over the host's own listener as a visitor would, to see that a servlet answers. */
export interface Canary {
  servlet: string;
  /** Absolute URL. */
  url: string;
}

/** The last outcome of each canary. A servlet is well when it answers with a status below 500. */
export class Canaries implements Closable {
  readonly label = 'canaries';
  readonly #list: readonly Canary[];
  readonly #problems = new Map<string, string>();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | null = null;

  constructor(list: readonly Canary[]) {
    this.#list = list;
    for (const { servlet } of list) this.#problems.set(servlet, 'its canary has not been answered yet');
  }

  /** Why servlets are not well, by name. */
  get problems(): ReadonlyMap<string, string> {
    return this.#problems;
  }

  /** Sends them all now, and again from time to time. */
  async start(): Promise<void> {
    if (this.#stop.signal.aborted || this.#list.length === 0) return;
    await Promise.all(this.#list.map((canary) => this.#send(canary)));
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => void this.start(), this.#problems.size > 0 ? RETRY_AFTER_MS : CANARY_EVERY_MS);
    this.#timer.unref();
  }

  close(): void {
    this.#stop.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #send({ servlet, url }: Canary): Promise<void> {
    try {
      const status = await statusOf(url, this.#stop.signal);
      if (status < 500) this.#problems.delete(servlet);
      else this.#problems.set(servlet, `its canary was answered with status ${status}`);
    } catch (error) {
      this.#problems.set(
        servlet,
        `its canary was not answered: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

function statusOf(url: string, signal: AbortSignal): Promise<number> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      agent: false,
      headers: { 'user-agent': 'custodian-canary' },
      // It talks to itself: whose name is on its certificate is not the question.
      rejectUnauthorized: false,
      signal: AbortSignal.any([signal, AbortSignal.timeout(CANARY_TIMEOUT_MS)]),
    });
    sent.on('response', (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    sent.on('error', reject);
    sent.end();
  });
}
