/* oxlint-disable vitest/no-conditional-expect -- the fixture says whether its connection stays open */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cutAt, cuts } from '../support/random-chunks.ts';
import { StartedHost } from '../support/started-host.ts';
import type { WireResponse } from '../support/wire-client.ts';

const DIRECTORY = new URL('./', import.meta.url);
/** What every fixture is sent to: it says what it has got. */
const ECHO = `
  export default async function echo(request) {
    const body = request.body === null ? Buffer.alloc(0) : Buffer.concat(await Array.fromAsync(request.body));
    const heard = { method: request.method, url: request.url, x: request.header('x-test') ?? null, body: body.toString('latin1') };
    return { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(heard) };
  }`;

interface Fixture {
  name: string;
  /** Sent as it is. */
  request: Buffer;
  /** Status lines in order, then `closed` or `open`. */
  expected: string[];
  /** Texts that the bodies must have. */
  bodies: string[];
}

/** A fixture: lines `# expect: 200 200 open` and `# body: …`, then the request, whose lines end with LF for CRLF. */
function readFixture(name: string): Fixture {
  const lines = readFileSync(new URL(name, DIRECTORY), 'latin1').split('\n');
  const notes = lines.filter((line) => line.startsWith('# '));
  const text = lines.slice(notes.length).join('\r\n');
  const after = (key: string): string[] =>
    notes.filter((line) => line.startsWith(`# ${key}: `)).map((line) => line.slice(key.length + 4));
  return {
    name,
    request: Buffer.from(
      text.replace(/\\(x[0-9a-f]{2}|n)/g, (_, code: string) =>
        code === 'n' ? '\n' : String.fromCharCode(Number.parseInt(code.slice(1), 16)),
      ),
      'latin1',
    ),
    expected: (after('expect')[0] ?? '').split(' '),
    bodies: after('body'),
  };
}

const fixtures = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith('.http'))
  .sort()
  .map(readFixture);

describe('requests in random chunks', () => {
  let started: StartedHost;
  beforeAll(async () => {
    started = await StartedHost.start({ echo: ECHO }, { limits: { headTimeoutMs: 5000 } });
    await started.warm('/echo');
  });
  afterAll(() => started[Symbol.asyncDispose]());

  it('there are fixtures', () => {
    expect(fixtures.length).toBeGreaterThan(25);
  });

  it.each(fixtures)('$name', async ({ request, expected, bodies }) => {
    await fc.assert(
      fc.asyncProperty(cuts, async (at) => {
        const client = await started.connect();
        for (const chunk of cutAt(request, at)) {
          if (!(await client.send(chunk))) break;
          // A turn in between, so that the pieces arrive as pieces.
          await new Promise((resolve) => setImmediate(resolve));
        }
        const isOpen = expected.at(-1) === 'open';
        const responses: (WireResponse & { wanted: number })[] = [];
        for (const status of expected.slice(0, -1)) {
          const method = status.endsWith('H') ? 'HEAD' : 'GET';
          responses.push({ ...(await client.response(method)), wanted: Number.parseInt(status, 10) });
        }
        expect(responses.map(({ status }) => status)).toEqual(responses.map(({ wanted }) => wanted));
        bodies.forEach((body) =>
          expect(responses.map((response) => response.body.toString('latin1')).join('\n')).toContain(body),
        );
        const final = responses.at(-1);
        if (isOpen) {
          expect(client.isEnded).toBe(false);
          expect((await client.get('/echo?again')).status).toBe(200);
        } else {
          // "Answered properly and then closed."
          expect((await client.rest()).toString('latin1')).toBe('');
          if (final !== undefined) expect(final.headers.get('connection')).toEqual(['close']);
          expect(client.error).toBeNull();
        }
        client.destroy();
      }),
      { numRuns: 12 },
    );
  });
});
