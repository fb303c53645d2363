import { setTimeout as sleep } from 'node:timers/promises';
import { WireClient } from './wire-client.ts';

const PAUSE_MS = 2;

export interface Reading {
  count: number;
  p50: number;
  p99: number;
  max: number;
  /** Answers other than 200, and lost connections. */
  failures: string[];
}

/** A visitor who asks for the same page again and again over one connection, and takes the time of each answer. */
export class NeighbourClock {
  readonly #port: number;
  readonly #path: string;
  #times: number[] = [];
  #failures: string[] = [];
  #isStopped = false;
  readonly #running: Promise<void>;

  constructor(port: number, path: string) {
    this.#port = port;
    this.#path = path;
    this.#running = this.#run();
  }

  get count(): number {
    return this.#times.length;
  }

  async stop(): Promise<Reading> {
    this.#isStopped = true;
    await this.#running;
    return this.reading;
  }

  get reading(): Reading {
    const sorted = this.#times.toSorted((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Infinity;
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1), failures: this.#failures };
  }

  async #run(): Promise<void> {
    let client: WireClient | null = null;
    while (!this.#isStopped) {
      const begun = performance.now();
      try {
        client ??= await WireClient.connect(this.#port);
        const { status } = await client.get(this.#path);
        this.#times.push(performance.now() - begun);
        if (status !== 200) this.#failures.push(`status ${status}`);
        if (client.isEnded || status !== 200) {
          client.destroy();
          client = null;
        }
      } catch (error) {
        this.#failures.push(String(error));
        client?.destroy();
        client = null;
      }
      await sleep(PAUSE_MS);
    }
    client?.destroy();
  }
}
