import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisClientType } from '@redis/client';
import { ENTRY_TAG_BYTES } from '@custodian/protocol';
import {
  available,
  type ContinuationStore,
  costOf,
  isKey,
  keyFor,
  StoreConflictError,
  type StoreEntry,
} from './store.ts';

const CONNECT_TIMEOUT_MS = 2000;
const COMMAND_TIMEOUT_MS = 3000;
const RECONNECT_MAX_MS = 1000;
/** Of those that have expired, so many are taken out of the books at each turn. */
const SWEEP_COUNT = 200;

/**
 * Takes what has expired out of a servlet's books. Redis itself forgets the entries by their time to live.
 * KEYS: costs, order, expiry, total. ARGV[1]: now.
 */
const SETTLE = `
  local function forget(key)
    local cost = redis.call('HGET', KEYS[1], key)
    if cost then redis.call('HDEL', KEYS[1], key); redis.call('DECRBY', KEYS[4], cost) end
    redis.call('ZREM', KEYS[2], key)
    redis.call('ZREM', KEYS[3], key)
  end
  local expired = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1], 'LIMIT', 0, ${SWEEP_COUNT})
  for _, key in ipairs(expired) do forget(key) end
`;
/**
 * KEYS[5]: prefix of entries. ARGV: now, key, bytes, cost, expiry, quota, how it is kept, what it may replace. What was
 * kept longest ago makes room. Returns 0 when something else is there.
 */
const PUT = `${SETTLE}
  if ARGV[7] == 'tagged' then
    local there = redis.call('GETRANGE', KEYS[5] .. ARGV[2], 0, ${ENTRY_TAG_BYTES - 1})
    local may = false
    for at = 8, #ARGV do may = may or ARGV[at] == there end
    if not may then return 0 end
  end
  local expiry = tonumber(ARGV[5])
  if ARGV[7] == 'content' then expiry = math.max(expiry, tonumber(redis.call('ZSCORE', KEYS[3], ARGV[2]) or '0')) end
  redis.call('SET', KEYS[5] .. ARGV[2], ARGV[3], 'PXAT', string.format('%.0f', expiry))
  local before = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
  redis.call('INCRBY', KEYS[4], tonumber(ARGV[4]) - before)
  redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[5] .. 'number'), ARGV[2])
  redis.call('ZADD', KEYS[3], expiry, ARGV[2])
  while tonumber(redis.call('GET', KEYS[4])) > tonumber(ARGV[6]) do
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    -- Alone it has room. Redis has thrown a part of the books away: they begin anew, with what is kept now.
    if oldest == ARGV[2] then
      redis.call('DEL', KEYS[1])
      redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
      redis.call('SET', KEYS[4], ARGV[4])
      break
    end
    redis.call('DEL', KEYS[5] .. oldest)
    forget(oldest)
  end
  return 1
`;
const SWEEP = `${SETTLE} return #expired`;

/**
 * Keeps entries in Redis or Valkey, which replicas share. They outlive this process, and Redis itself as far as its
 * own persistence goes (`appendfsync always` for all of it).
 */
export class RedisStore implements ContinuationStore {
  readonly label: string;
  readonly #url: string;
  readonly #prefix: string;
  #client: Promise<RedisClientType> | null = null;
  #isClosed = false;

  /** @param url `redis:` or `rediss:`, with what it takes to log in */
  constructor(url: string, { prefix = 'custodian' }: { prefix?: string } = {}) {
    this.#url = url;
    this.#prefix = prefix;
    this.label = `Redis store ${new URL(url).host}`;
  }

  put(entry: StoreEntry): Promise<string> {
    return available('keep a continuation', async () => {
      const { servlet, name, bytes, replaces, expiresAt, quotaBytes } = entry;
      const how = name === undefined ? 'content' : replaces === undefined ? 'named' : 'tagged';
      const cost = costOf(entry);
      const key = keyFor(entry);
      const client = await this.#ready();
      const texts = [String(Date.now()), key, Buffer.from(bytes), String(cost), String(Math.ceil(expiresAt))];
      // Sent together. The arguments' types have strings only; the protocol takes bytes.
      const [, isKept] = await Promise.all([
        client.sAdd(`${this.#prefix}:servlets`, servlet),
        client.eval(PUT, {
          keys: this.#keysOf(servlet),
          arguments: [...texts, String(quotaBytes), how, ...(replaces ?? [])] as string[],
        }),
      ]);
      if (Number(isKept) === 0) throw new StoreConflictError(servlet);
      return key;
    });
  }

  get(servlet: string, key: string): Promise<Uint8Array | null> {
    if (!isKey(key)) return Promise.resolve(null);
    return available('find a continuation', async () => {
      const client = await this.#ready();
      const { RESP_TYPES } = await import('@redis/client');
      const found = await client
        .withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
        .get(`${this.#entriesOf(servlet)}${key}`);
      return found as Buffer | null;
    });
  }

  tag(servlet: string, key: string): Promise<string> {
    return available('find a continuation', async () => {
      const client = await this.#ready();
      return (await client.getRange(`${this.#entriesOf(servlet)}${key}`, 0, ENTRY_TAG_BYTES - 1)) ?? '';
    });
  }

  usage(servlet: string): Promise<number> {
    return available('measure a store', async () => {
      const client = await this.#ready();
      return Number((await client.get(this.#keysOf(servlet)[3] as string)) ?? 0);
    });
  }

  sweep(): Promise<number> {
    return available('sweep a store', async () => {
      const client = await this.#ready();
      let swept = 0;
      for (const servlet of await client.sMembers(`${this.#prefix}:servlets`)) {
        for (let count = SWEEP_COUNT; count === SWEEP_COUNT; swept += count)
          count = Number(await client.eval(SWEEP, { keys: this.#keysOf(servlet), arguments: [String(Date.now())] }));
      }
      return swept;
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    (await this.#client)?.destroy();
  }

  /** All keys of a servlet have its hash in braces, so that a cluster keeps them together. */
  #entriesOf(servlet: string): string {
    return `${this.#prefix}:{${createHash('sha256').update(servlet).digest('hex').slice(0, 16)}}:`;
  }

  #keysOf(servlet: string): string[] {
    const entries = this.#entriesOf(servlet);
    return [`${entries}costs`, `${entries}order`, `${entries}expiry`, `${entries}total`, entries];
  }

  /** The client, once it is connected. @throws when it isn't for a while */
  async #ready(): Promise<RedisClientType> {
    if (this.#isClosed) throw new Error('it is closed');
    const client = await (this.#client ??= this.#connect());
    for (let waitedMs = 0; !client.isReady; waitedMs += 20) {
      if (waitedMs >= CONNECT_TIMEOUT_MS) throw new Error('Redis does not answer');
      await delay(20);
    }
    return client;
  }

  async #connect(): Promise<RedisClientType> {
    const { createClient } = await import('@redis/client');
    const client = createClient({
      url: this.#url,
      // What can't be sent now fails now.
      disableOfflineQueue: true,
      commandOptions: { timeout: COMMAND_TIMEOUT_MS },
      socket: {
        connectTimeout: CONNECT_TIMEOUT_MS,
        reconnectStrategy: (retries: number) => Math.min(20 * 2 ** retries, RECONNECT_MAX_MS),
      },
    });
    // Every command that fails says so itself.
    client.on('error', () => {});
    client.connect().catch(() => {});
    return client as unknown as RedisClientType;
  }
}
