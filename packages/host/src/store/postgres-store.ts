import type { Pool } from 'pg';
import { ENTRY_TAG_BYTES } from '@custodian/protocol';
import {
  available,
  type ContinuationStore,
  costOf,
  isKey,
  keyFor,
  StoreConflictError,
  type StoreEntry,
  tagOf,
} from './store.ts';

const CONNECTIONS_MAX_COUNT = 4;
const CONNECT_TIMEOUT_MS = 2000;
const QUERY_TIMEOUT_MS = 5000;
const DEADLOCK = '40P01';
const TRIES_MAX_COUNT = 3;
/** The oldest that may go at once to make room. */
const ROOM_COUNT = 1000;

// Two hosts may start at once: the lock lets one make the tables.
const SCHEMA = `
  SELECT pg_advisory_xact_lock(hashtext('custodian_kept'));
  CREATE TABLE IF NOT EXISTS custodian_kept (
    servlet text NOT NULL,
    key text NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    cost bigint NOT NULL,
    expires bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (servlet, key)
  );
  ALTER TABLE custodian_kept ADD COLUMN IF NOT EXISTS replaced bigint NOT NULL DEFAULT 0;
  CREATE INDEX IF NOT EXISTS custodian_kept_order ON custodian_kept (servlet, number);
  CREATE INDEX IF NOT EXISTS custodian_kept_expiry ON custodian_kept (expires);
  CREATE TABLE IF NOT EXISTS custodian_used (servlet text PRIMARY KEY, bytes bigint NOT NULL);
`;
/**
 * One statement is one transaction. Kept again, an entry moves to the end of the order. What the entry before it cost it says
 * itself: a look at the table from beside might see it before or after.
 */
const PUT = charging(`
  INSERT INTO custodian_kept (servlet, key, cost, expires, bytes) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (servlet, key) DO UPDATE
    SET number = DEFAULT, expires = greatest(custodian_kept.expires, excluded.expires), cost = excluded.cost,
      replaced = custodian_kept.cost
  RETURNING cost - replaced AS more`);
/** $6: with what that may begin which it replaces; null: with anything. $7: now. */
const IS_REPLACEABLE = `($6::text[] IS NULL OR CASE WHEN custodian_kept.expires > $7::bigint
  THEN encode(substring(custodian_kept.bytes FROM 1 FOR ${ENTRY_TAG_BYTES}), 'escape') ELSE '' END = ANY($6))`;
/** The same under a name. */
const PUT_NAMED = charging(`
  INSERT INTO custodian_kept (servlet, key, cost, expires, bytes) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (servlet, key) DO UPDATE
    SET number = DEFAULT, expires = excluded.expires, cost = excluded.cost, replaced = custodian_kept.cost,
      bytes = excluded.bytes
    WHERE ${IS_REPLACEABLE}
  RETURNING cost - replaced AS more`);
/** The same where something must be there. */
const REPLACE_NAMED = charging(`
  UPDATE custodian_kept SET number = DEFAULT, expires = $4, cost = $3, replaced = cost, bytes = $5
  WHERE servlet = $1 AND key = $2 AND ${IS_REPLACEABLE}
  RETURNING cost - replaced AS more`);
const TAG = `SELECT substring(bytes FROM 1 FOR ${ENTRY_TAG_BYTES}) AS tag FROM custodian_kept
  WHERE servlet = $1 AND key = $2 AND expires > $3`;
const MAKE_ROOM = `
  WITH oldest AS (
    SELECT key, sum(cost) OVER (ORDER BY number) - cost AS before
    FROM (SELECT key, cost, number FROM custodian_kept WHERE servlet = $1 ORDER BY number LIMIT ${ROOM_COUNT}) AS first
  ), gone AS (
    DELETE FROM custodian_kept USING oldest
    WHERE custodian_kept.servlet = $1 AND custodian_kept.key = oldest.key AND oldest.before < $2
    RETURNING custodian_kept.cost
  )
  UPDATE custodian_used SET bytes = bytes - (SELECT coalesce(sum(cost), 0) FROM gone) WHERE servlet = $1
  RETURNING bytes`;
const SWEEP = `
  WITH gone AS (DELETE FROM custodian_kept WHERE expires <= $1 RETURNING servlet, cost),
  sums AS (SELECT servlet, sum(cost) AS cost, count(*) AS count FROM gone GROUP BY servlet)
  UPDATE custodian_used SET bytes = bytes - sums.cost FROM sums WHERE custodian_used.servlet = sums.servlet
  RETURNING sums.count`;

/** Keeps entries in two tables of a PostgreSQL database, which it makes, and which replicas share. */
export class PostgresStore implements ContinuationStore {
  readonly label: string;
  readonly #url: string;
  #pool: Promise<Pool> | null = null;
  #isMade: Promise<void> | null = null;
  #isClosed = false;

  /** @param url `postgres:` or `postgresql:`, with what it takes to log in */
  constructor(url: string) {
    this.#url = url;
    const { host, pathname } = new URL(url);
    this.label = `PostgreSQL store ${host}${pathname}`;
  }

  put(entry: StoreEntry): Promise<string> {
    return available('keep a continuation', async () => {
      const { servlet, name, replaces, bytes, expiresAt, quotaBytes } = entry;
      const cost = costOf(entry);
      const key = keyFor(entry);
      const values = [servlet, key, cost, Math.ceil(expiresAt), Buffer.from(bytes)];
      const put = replaces?.includes('') === false ? REPLACE_NAMED : PUT_NAMED;
      let used =
        name === undefined
          ? await this.#number(PUT, values)
          : await this.#number(put, [...values, replaces ?? null, Date.now()]);
      if (used === null) throw new StoreConflictError(servlet);
      while (used > quotaBytes) used = (await this.#number(MAKE_ROOM, [servlet, used - quotaBytes])) ?? 0;
      return key;
    });
  }

  get(servlet: string, key: string): Promise<Uint8Array | null> {
    if (!isKey(key)) return Promise.resolve(null);
    return available('find a continuation', async () => {
      const [row] = await this.#query(
        'SELECT bytes FROM custodian_kept WHERE servlet = $1 AND key = $2 AND expires > $3',
        [servlet, key, Date.now()],
      );
      return (row?.['bytes'] as Buffer | undefined) ?? null;
    });
  }

  tag(servlet: string, key: string): Promise<string> {
    return available('find a continuation', async () => {
      const [row] = await this.#query(TAG, [servlet, key, Date.now()]);
      return tagOf(row?.['tag'] as Buffer | undefined);
    });
  }

  usage(servlet: string): Promise<number> {
    return available(
      'measure a store',
      async () => (await this.#number('SELECT bytes FROM custodian_used WHERE servlet = $1', [servlet])) ?? 0,
    );
  }

  sweep(): Promise<number> {
    return available('sweep a store', async () => {
      const rows = await this.#query(SWEEP, [Date.now()]);
      return rows.reduce((sum, { count }) => sum + Number(count), 0);
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await (await this.#pool)?.end();
  }

  /** The first column of the first row; null when there is none. */
  async #number(text: string, values: unknown[]): Promise<number | null> {
    const [row] = await this.#query(text, values);
    return row === undefined ? null : Number(Object.values(row)[0]);
  }

  async #query(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    if (this.#isClosed) throw new Error('it is closed');
    const pool = await (this.#pool ??= this.#open());
    this.#isMade ??= pool.query(SCHEMA).then(() => {});
    try {
      await this.#isMade;
    } catch (error) {
      this.#isMade = null;
      throw error;
    }
    for (let tries = 1; ; tries++) {
      try {
        return (await pool.query<Record<string, unknown>>(text, values)).rows;
      } catch (error) {
        // Two hosts that sweep at once may stand in each other's way: the one that is turned back tries again.
        if ((error as { code?: unknown }).code !== DEADLOCK || tries === TRIES_MAX_COUNT) throw error;
      }
    }
  }

  async #open(): Promise<Pool> {
    const { default: pg } = await import('pg');
    const pool = new pg.Pool({
      connectionString: this.#url,
      max: CONNECTIONS_MAX_COUNT,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      allowExitOnIdle: true,
    });
    // A connection that breaks while it is idle is replaced; every query that fails says so itself.
    pool.on('error', () => {});
    return pool;
  }
}

/** A statement that keeps an entry, and says what it costs `more` than what was there, with what the servlet has then. */
function charging(put: string): string {
  return `
    WITH put AS (${put})
    INSERT INTO custodian_used SELECT $1, more FROM put
    ON CONFLICT (servlet) DO UPDATE SET bytes = custodian_used.bytes + excluded.bytes
    RETURNING bytes`;
}
