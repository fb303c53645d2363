/** A connection, or the handshake before it. */
export interface Held {
  readonly clientIp: string;
  /** What is being answered; null: nothing. */
  readonly current: unknown;
  /** Nobody else is at work for it. */
  readonly isWaitingForClient: boolean;
  close(): void;
}

/** So many of a client's connections are looked through for one that waits for it. */
const LOOKED_MAX_COUNT = 100;

/** Who has how many of a host's connections. */
export class ClientShares {
  readonly #mostMaxCount: number;
  readonly #byClient = new Map<string, Set<Held>>();
  /** Who has more than half of all that there may be. */
  #greedy: string | null = null;

  constructor(connectionsMaxCount: number) {
    this.#mostMaxCount = connectionsMaxCount / 2;
  }

  add(connection: Held): void {
    const client = clientOf(connection.clientIp);
    const own = this.#byClient.get(client) ?? new Set();
    this.#byClient.set(client, own.add(connection));
    if (own.size > this.#mostMaxCount) this.#greedy = client;
  }

  delete(connection: Held): void {
    const client = clientOf(connection.clientIp);
    const own = this.#byClient.get(client);
    if (own?.delete(connection) !== true) return;
    if (own.size === 0) this.#byClient.delete(client);
    if (client === this.#greedy && own.size <= this.#mostMaxCount) this.#greedy = null;
  }

  /**
   * All connections are taken: a client that has more than half of them loses one that waits for it, between requests rather than
   * within one. `false`: there is none among those looked at, or the newcomer is that client.
   */
  makeRoomFor(ip: string): boolean {
    if (this.#greedy === null || this.#greedy === clientOf(ip)) return false;
    const victim = this.#victim(this.#byClient.get(this.#greedy) ?? new Set());
    if (victim === null) return false;
    this.delete(victim);
    victim.close();
    return true;
  }

  #victim(own: Set<Held>): Held | null {
    let within: Held | null = null;
    const looked: Held[] = [];
    for (const connection of own) {
      if (connection.isWaitingForClient) {
        if (connection.current === null) return connection;
        within ??= connection;
      }
      looked.push(connection);
      if (looked.length === LOOKED_MAX_COUNT) break;
    }
    // Those behind them are looked at for the next newcomer.
    if (within === null) for (const each of looked) if (own.delete(each)) own.add(each);
    return within;
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
