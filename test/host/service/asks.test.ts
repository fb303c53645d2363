import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Ask, type Service, ServiceError } from '../../../packages/host/src/service/service.ts';
import { eventually } from '../../support/eventually.ts';
import { startTrusted } from '../../support/started-host.ts';

const ASKS = JSON.stringify(new URL('../../../packages/worker/src/asks.ts', import.meta.url).href);
const servlet = (code: string): string => `import { ask } from ${ASKS};\n${code}`;

const MB = 1 << 20;

/** Answers with the hash and the number of the bytes that came. */
const hash: Service = {
  name: 'hash',
  answer: async (ask) => {
    const digest = createHash('sha256');
    let bytes = 0;
    for await (const piece of ask.body ?? []) {
      digest.update(piece);
      bytes += piece.length;
    }
    return { head: { hash: digest.digest('hex'), bytes } };
  },
};

/** Streams so many bytes, and counts what it has made. */
class Source implements Service {
  readonly name = 'source';
  made = 0;
  open = 0;
  answer(ask: Ask): { head: unknown; body: AsyncIterable<Uint8Array> } {
    const { bytes } = ask.json() as { bytes: number };
    // oxlint-disable-next-line typescript/no-this-alias -- of the generator
    const source = this;
    return {
      head: { bytes },
      body: (async function* () {
        source.open++;
        try {
          for (let at = 0; at < bytes; at += 50_000) {
            const piece = Buffer.alloc(Math.min(50_000, bytes - at), at / 50_000);
            source.made += piece.length;
            yield piece;
          }
        } finally {
          source.open--;
        }
      })(),
    };
  }
}

/** Never answers, and remembers who asked. */
class Waiting implements Service {
  readonly name = 'waiting';
  readonly asks: Ask[] = [];
  answer(ask: Ask): Promise<never> {
    this.asks.push(ask);
    return new Promise((_resolve, reject) =>
      ask.signal.addEventListener('abort', () => reject(ask.signal.reason as Error)),
    );
  }
}

describe('ask()', () => {
  test('a thread is answered with a head, or told why not', async () => {
    const services: Service[] = [
      {
        name: 'upper',
        answer: (ask) => ({ head: { text: String(ask.json()['text']).toUpperCase(), of: ask.servlet.name } }),
      },
      {
        name: 'no',
        answer: () => {
          throw new ServiceError('STORE_FULL', 'Cannot keep it: it is full');
        },
      },
    ];
    await using started = await startTrusted(
      {
        asker: servlet(`
          export default async function asker(request) {
            const failed = await Promise.allSettled([ask('no', {}), ask('nobody', {}), ask('upper', 'x'.repeat(20000))]);
            return JSON.stringify([(await ask('upper', { text: 'abc' })).json(), ...failed.map(({ reason }) => reason.code)]);
          }`),
      },
      {},
      {},
      services,
    );
    const answer = await fetch(`${started.url}/asker`);
    expect(await answer.json()).toEqual([
      { text: 'ABC', of: 'asker' },
      'STORE_FULL',
      'ASK_NO_SERVICE',
      'ASK_TOO_LARGE',
    ]);
  });

  test('a thread may ask while its servlet is loaded', async () => {
    await using started = await startTrusted(
      { early: servlet(`const { hash } = (await ask('hash', {})).json();\nexport default () => hash;`) },
      {},
      {},
      [hash],
    );
    expect(await (await fetch(`${started.url}/early`)).text()).toBe(createHash('sha256').digest('hex'));
  });

  test('10 MB go up and 10 MB come down, and no more is under way than a window', async () => {
    const source = new Source();
    await using started = await startTrusted(
      {
        both: servlet(`
          import { createHash } from 'node:crypto';
          async function* pieces(bytes) { for (let at = 0; at < bytes; at += 30000) yield Buffer.alloc(Math.min(30000, bytes - at), 7); }
          export default async function both() {
            const up = (await ask('hash', {}, { body: pieces(10 * 2 ** 20) })).json();
            const answer = await ask('source', { bytes: 10 * 2 ** 20 });
            await new Promise((resolve) => setTimeout(resolve, 100));
            const digest = createHash('sha256');
            let bytes = 0;
            for await (const piece of answer.body) { bytes += piece.length; digest.update(piece); }
            return JSON.stringify({ up, bytes, hash: digest.digest('hex') });
          }
          export const limits = { wallMs: 10000 };`),
      },
      {},
      {},
      [hash, source],
    );
    const answered = fetch(`${started.url}/both`);
    await eventually(
      () => source.made,
      (made) => made > 0,
    );
    await sleep(50);
    expect(source.made).toBeLessThan(300_000);
    const { up, bytes, hash: down } = (await (await answered).json()) as { up: object; bytes: number; hash: string };
    expect(up).toEqual({
      bytes: 10 * MB,
      hash: createHash('sha256')
        .update(Buffer.alloc(10 * MB, 7))
        .digest('hex'),
    });
    expect(bytes).toBe(10 * MB);
    const expected = createHash('sha256');
    for (let at = 0; at < 10 * MB; at += 50_000)
      expected.update(Buffer.alloc(Math.min(50_000, 10 * MB - at), at / 50_000));
    expect(down).toBe(expected.digest('hex'));
    expect(source.open).toBe(0);
  });

  test('bytes() of an answer gives all of it, or refuses what is too long and cancels it', async () => {
    const source = new Source();
    await using started = await startTrusted(
      {
        bytes: servlet(`
          export default async function bytes() {
            const whole = await (await ask('source', { bytes: 200000 })).bytes(200000);
            const refused = await (await ask('source', { bytes: 900000 })).bytes(200000).catch((error) => error.code);
            return JSON.stringify([whole.length, refused]);
          }`),
      },
      {},
      {},
      [source],
    );
    expect(await (await fetch(`${started.url}/bytes`)).json()).toEqual([200_000, 'ASK_TOO_LARGE']);
    await eventually(
      () => source.open,
      (open) => open === 0,
    );
  });

  test('1,000 asks are in flight at once, half of them with a body, and each gets its own answer', async () => {
    let open = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    const slow: Service = {
      name: 'slow',
      answer: async (ask) => {
        most = Math.max(most, ++open);
        if (most >= 500) gate.resolve();
        await gate.promise;
        let bytes = 0;
        for await (const piece of ask.body ?? []) bytes += piece.length;
        open--;
        return { head: { n: ask.json()['n'], bytes } };
      },
    };
    await using started = await startTrusted(
      {
        many: servlet(`
          export default async function many() {
            const answers = await Promise.all(Array.from({ length: 1000 }, (_, n) =>
              ask('slow', { n }, n % 2 ? { body: Buffer.alloc(n) } : {})));
            return String(answers.every((answer, n) => answer.json().n === n && answer.json().bytes === (n % 2 ? n : 0)));
          }`),
      },
      {},
      {},
      [slow],
    );
    expect(await (await fetch(`${started.url}/many`)).text()).toBe('true');
    expect(most).toBeGreaterThanOrEqual(500);
  });

  test('an ask is cancelled when the request that asked is over, in a shared thread no other', async () => {
    const waiting = new Waiting();
    await using started = await startTrusted(
      {
        leaver: servlet(`
          let codes = [];
          export default async function leaver(request) {
            if (request.query.get('codes') !== undefined) return codes.join();
            ask('waiting', {}).catch((error) => codes.push(error.code));
            if (request.query.get('stay') !== undefined) await new Promise((resolve) => setTimeout(resolve, 400));
            return 'gone';
          }`),
      },
      { unit: 'servlet' },
      {},
      [waiting],
    );
    // Until a thread has asked once, nobody keeps track of who asks.
    await fetch(`${started.url}/leaver?first`);
    waiting.asks.length = 0;
    await fetch(`${started.url}/leaver`);
    await eventually(
      () => waiting.asks[0]?.signal.aborted,
      (isAborted) => isAborted === true,
    );
    const staying = fetch(`${started.url}/leaver?stay`);
    await eventually(
      () => waiting.asks.length,
      (count) => count === 2,
    );
    await fetch(`${started.url}/leaver`);
    await eventually(
      () => waiting.asks[2]?.signal.aborted,
      (isAborted) => isAborted === true,
    );
    expect(waiting.asks[1]!.signal.aborted).toBe(false);
    expect(waiting.asks[1]!.exchange?.url).toBe('/leaver?stay');
    await staying;
    await eventually(
      () => waiting.asks[1]?.signal.aborted,
      (isAborted) => isAborted === true,
    );
    expect(await (await fetch(`${started.url}/leaver?codes`)).text()).toBe('ASK_CANCELLED,ASK_CANCELLED,ASK_CANCELLED');
  });

  test('an ask can be aborted by a signal', async () => {
    const waiting = new Waiting();
    await using started = await startTrusted(
      {
        impatient: servlet(`
          export default () => ask('waiting', {}, { signal: AbortSignal.timeout(20) }).catch((error) => error.name);`),
      },
      {},
      {},
      [waiting],
    );
    expect(await (await fetch(`${started.url}/impatient`)).text()).toBe('TimeoutError');
    await eventually(
      () => waiting.asks[0]?.signal.aborted,
      (isAborted) => isAborted === true,
    );
  });

  test.each(['a thread that is killed', 'a cell that is killed', 'a host that is closed'])(
    'whoever is waited for by %s hears of it at once',
    async (who) => {
      const waiting = new Waiting();
      const source = new Source();
      await using started = await startTrusted(
        {
          doomed: servlet(`
            export default async function doomed(request) {
              const answer = await ask('source', { bytes: 2 ** 30 });
              await Promise.all([ask('waiting', { pid: process.pid }, { body: (async function* () { for (;;) yield Buffer.alloc(60000); })() }),
                request.query.get('spin') === undefined ? 0 : (async () => { await new Promise((resolve) => setTimeout(resolve, 100)); for (;;); })()]);
            }`),
        },
        { limits: { cpuMs: 300 } },
        {},
        [waiting, source],
      );
      // By POST, since what is safe to repeat would be tried once more.
      const answered = fetch(`${started.url}/doomed${who.includes('thread') ? '?spin' : ''}`, { method: 'POST' }).then(
        ({ status }) => status,
        () => 'cut',
      );
      await eventually(
        () => waiting.asks.length,
        (count) => count === 1,
      );
      expect(source.open).toBe(1);
      if (who.includes('cell')) await started.host.killCell(waiting.asks[0]!.json()['pid'] as number);
      if (who.includes('host')) await started.host.close();
      await eventually(
        () => waiting.asks[0]!.signal.aborted && source.open === 0,
        (isOver) => isOver,
      );
      expect(waiting.asks[0]!.signal.reason).toMatchObject({ code: 'ASK_CANCELLED' });
      await expect(waiting.asks[0]!.body!.next()).rejects.toMatchObject({ code: 'ASK_CANCELLED' });
      expect(await answered).toBe(who.includes('host') ? 'cut' : who.includes('cell') ? 503 : 504);
    },
  );

  test.each([
    ['an ask that is cut short', [0, 0]],
    ['the last word for an ask that is none', null],
  ])('%s kills the cell with cause protocol', async (_what, payload) => {
    await using started = await startTrusted(
      {
        hostile: `
          import { writeSync } from 'node:fs';
          export default function hostile(request) {
            const payload = ${JSON.stringify(payload)};
            const frame = Buffer.from([0, 0, 0, 5 + (payload?.length ?? 0), payload === null ? 83 : 80, 0, 0, 0, 9, ...(payload ?? [])]);
            for (let fd = 4; fd < 36; fd++) try { writeSync(fd, frame); } catch {}
            return new Promise(() => {});
          }`,
      },
      { profile: 'trusted' },
    );
    const status = await fetch(`${started.url}/hostile`).then(
      (response) => response.status,
      () => 'cut',
    );
    expect(status).toBe(500);
    expect(started.host.ledger.obituaries.map(({ cause }) => cause)).toEqual(['protocol']);
  });

  test('a thread that asks without end and reads nothing costs the acceptor no memory', async () => {
    await using started = await startTrusted(
      {
        flood: `
          import { writeSync } from 'node:fs';
          export default function flood(request) {
            if (request.query.get('warm') !== undefined) return '';
            const service = Buffer.from('nothing');
            const ask = Buffer.concat([Buffer.from([0, 0, 0, 11 + service.length, 80, 0, 0, 0, 9, 0, 0, 0, 0, 0, service.length]), service]);
            const over = Buffer.from([0, 0, 0, 5, 83, 0, 0, 0, 9]);
            const many = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.concat([ask, over])));
            for (const until = Date.now() + 1500; Date.now() < until; )
              try { writeSync(4, many); } catch {}
            return 'flooded';
          }`,
      },
      { profile: 'trusted', limits: { cpuMs: 1e5, wallMs: 1e4, threadsMaxCount: 1 } },
    );
    await started.warm('/flood?warm');
    const before = process.memoryUsage().rss;
    await fetch(`${started.url}/flood`).catch(() => {});
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MB);
  });
});

test('the source of asks is where the tests look for it', () => {
  expect(fileURLToPath(JSON.parse(ASKS) as string)).toMatch(/packages.worker.src.asks\.ts$/);
});
