import type { Connection } from './http/connection.ts';

/** So many of a client's connections are looked through for one that waits for it. */
const LOOKED_MAX_COUNT = 100;

/** Who has how many of a host's connections. */
export class ClientShares {
  readonly #mostMaxCount: number;
  readonly #byClient = new Map<string, Set<Connection>>();
  /** Who has more than half of all that there may be. */
  #greedy: string | null = null;

  constructor(connectionsMaxCount: number) {
    this.#mostMaxCount = connectionsMaxCount / 2;
  }

  add(connection: Connection): void {
    const client = clientOf(connection.clientIp);
    const own = this.#byClient.get(client) ?? new Set();
    this.#byClient.set(client, own.add(connection));
    if (own.size > this.#mostMaxCount) this.#greedy = client;
  }

  delete(connection: Connection): void {
    const client = clientOf(connection.clientIp);
    const own = this.#byClient.get(client);
    if (own?.delete(connection) !== true) return;
    if (own.size === 0) this.#byClient.delete(client);
    if (client === this.#greedy && own.size <= this.#mostMaxCount) this.#greedy = null;
  }

  /**
   * All connections are taken: a client that has more than half of them loses the oldest that waits for it, between requests
   * or within one. `false`: there is none, or the newcomer is that client.
   */
  makeRoomFor(ip: string): boolean {
    if (this.#greedy === null || this.#greedy === clientOf(ip)) return false;
    let looked = 0;
    for (const connection of this.#byClient.get(this.#greedy) ?? []) {
      if (++looked > LOOKED_MAX_COUNT) return false;
      if (!connection.isWaitingForClient) continue;
      this.delete(connection);
      connection.close();
      return true;
    }
    return false;
  }
}

/** The address; of version 6 the network, all of whose addresses one client has. */
export function clientOf(ip: string): string {
  if (!ip.includes(':') || ip.includes('.')) return ip;
  const [start = '', end] = ip.split('::');
  const first = start === '' ? [] : start.split(':');
  const last = end === undefined || end === '' ? [] : end.split(':');
  const zeros = Array.from({ length: end === undefined ? 0 : 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].slice(0, 4).join(':');
}
