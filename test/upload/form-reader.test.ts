import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BodyBudget } from '../../packages/host/src/http/body-budget.ts';
import type { ErrorPage } from '../../packages/host/src/http/error-page.ts';
import { DEFAULT_LIMITS, type Limits } from '../../packages/host/src/limits.ts';
import { FormReader } from '../../packages/host/src/upload/form-reader.ts';
import { Spool } from '../../packages/host/src/upload/spool.ts';
import { cutAt, cuts } from '../support/random-chunks.ts';
import { eventually } from '../support/eventually.ts';

const directory = mkdtempSync(join(tmpdir(), 'custodian-form-'));
const place = { directory, memory: new BodyBudget(1 << 20), reserve: () => true, release: () => {} };
afterAll(() => rmSync(directory, { recursive: true }));

type Read = { parts: [name: string, filename: string | null, content: string][] } | { problem: ErrorPage };

/** Feeds a reader piece by piece, as a socket would: no further piece while it says that it is full. */
async function read(
  pieces: readonly Uint8Array[],
  limits: Partial<Limits> = {},
  boundary = 'B',
  given = asSocketsGive,
): Promise<Read> {
  const all = { ...DEFAULT_LIMITS, formFileMemoryMaxBytes: 1000, ...limits };
  const spool = new Spool('test', place, all.formFileMemoryMaxBytes);
  const done = Promise.withResolvers<ErrorPage | null>();
  let drained = Promise.withResolvers<void>();
  const reader = new FormReader(boundary, all, spool, {
    onRead: () => done.resolve(null),
    onFailed: (problem) => {
      done.resolve(problem);
      drained.resolve();
    },
    onMemorySpent: () => {},
    onDrain: () => drained.resolve(),
  });
  for (const piece of pieces.flatMap(given)) {
    const isTaken = reader.push(piece);
    if (!isTaken) await drained.promise;
    await new Promise((resolve) => setImmediate(resolve));
    drained = Promise.withResolvers();
  }
  reader.end();
  const problem = await done.promise;
  const parts: [string, string | null, string][] = [];
  if (problem === null) {
    for (const { name, filename, value, start, bytes } of reader.parts) {
      const content = value ?? Buffer.concat(await Array.fromAsync(spool.read(start, start + bytes)));
      assert.equal(content.length, bytes);
      parts.push([name, filename, Buffer.from(content).toString('latin1')]);
    }
  }
  await spool.close();
  return problem === null ? { parts } : { problem };
}

/** No socket gives more at once. */
function asSocketsGive(piece: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < piece.length || at === 0; at += 65_536) parts.push(piece.subarray(at, at + 65_536));
  return parts;
}

function text(...lines: string[]): Buffer {
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

function field(name: string, value: string): string[] {
  return ['--B', `Content-Disposition: form-data; name="${name}"`, '', value];
}

function file(name: string, value: string): string[] {
  return ['--B', `Content-Disposition: form-data; name="${name}"; filename="f"`, 'Content-Type: a/b', '', value];
}

async function problemOf(body: Buffer, limits: Partial<Limits> = {}): Promise<[number, string, string | undefined]> {
  const found = await read([body], limits);
  if ('parts' in found) throw new Error(`it was read: ${JSON.stringify(found.parts).slice(0, 300)}`);
  return [found.problem.status, found.problem.code, found.problem.detail];
}

describe('FormReader', () => {
  it('FormReader reads fields and files in order, repeats kept', async () => {
    const body = text(
      ...field('a', '1'),
      ...file('f', 'hello\r\nworld'),
      ...field('a', ''),
      ...file('e', ''),
      '--B--',
      '',
    );
    expect(await read([body])).toEqual({
      parts: [
        ['a', null, '1'],
        ['f', 'f', 'hello\r\nworld'],
        ['a', null, ''],
        ['e', 'f', ''],
      ],
    });
  });

  it('FormReader reads a form without parts, and skips what stands around it', async () => {
    expect(await read([text('--B--', '')])).toEqual({ parts: [] });
    const body = text('preamble', 'of two lines', ...field('a', '1'), '--B--', 'epilogue');
    expect(await read([body])).toEqual({ parts: [['a', null, '1']] });
  });

  it('FormReader takes what looks like a delimiter for content where it is none', async () => {
    const tricky = '\r\n--\r\n--C\r\n-B--B\r\n--';
    expect(await read([text(...file('f', tricky), '--B--')])).toEqual({ parts: [['f', 'f', tricky]] });
  });

  it('FormReader reads what was written, however the body is cut', async () => {
    const content = fc
      .array(fc.oneof(fc.constantFrom('\r\n', '\r', '--', '-', 'B', '\r\n--', '\r\n--B', 'x'.repeat(700)), fc.string()))
      .map((parts) => parts.join('').replaceAll('\r\n--B', '\r\n--C').replace(/^--B/, '--C'));
    const name = fc.stringMatching(/^[a-z"é% ]{1,6}$/);
    const part = fc.record({ name, filename: fc.option(fc.stringMatching(/^[a-z"é][a-z"é.]{0,6}$/)), content });
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), cuts, async (parts, shares) => {
        const encoded = (value: string): string => value.replaceAll('"', '%22');
        const lines = parts.flatMap(({ name, filename, content }) => [
          '--B',
          `Content-Disposition: form-data; name="${encoded(name)}"${filename === null ? '' : `; filename="${encoded(filename)}"`}`,
          ...(filename === null ? [] : ['Content-Type: application/octet-stream']),
          '',
          content,
        ]);
        const body = Buffer.from([...lines, '--B--', ''].join('\r\n'));
        const expected = parts.map(({ name, filename, content }) => [
          name,
          filename,
          Buffer.from(content).toString('latin1'),
        ]);
        expect(await read(cutAt(body, shares), { formFieldMaxBytes: Infinity })).toEqual({ parts: expected });
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [
      'formFieldsMaxCount',
      2,
      'LIMIT_FORM_FIELDS',
      text(...field('a', ''), ...field('b', ''), ...field('c', ''), '--B--'),
    ],
    ['formFilesMaxCount', 2, 'LIMIT_FORM_FILES', text(...file('a', ''), ...file('b', ''), ...file('c', ''), '--B--')],
    ['formPartsMaxCount', 2, 'LIMIT_FORM_PARTS', text(...field('a', ''), ...file('b', ''), ...field('c', ''), '--B--')],
    ['formFieldMaxBytes', 5, 'LIMIT_FORM_FIELD', text(...field('a', '123456'), '--B--')],
    ['formFieldMaxBytes', 5, 'LIMIT_FORM_FIELD', text(...field('kont', 'x'.repeat(65_537)), '--B--')],
    ['formFieldMaxBytes', 5, 'LIMIT_FORM_FIELD', text(...field('kont2', '123456'), '--B--')],
    ['formFieldMaxBytes', 5, 'LIMIT_FORM_FIELD', text(...field('kont', ''), ...field('kont', '123456'), '--B--')],
    ['formFileMaxBytes', 5, 'LIMIT_FORM_FILE', text(...file('a', '123456'), '--B--')],
    [
      'formPartHeadMaxBytes',
      60,
      'LIMIT_FORM_PART_HEAD',
      text('--B', `X-Long: ${'x'.repeat(60)}`, ...field('a', '').slice(1), '--B--'),
    ],
  ] as const)('FormReader holds a form to %s', async (limit, value, code, body) => {
    expect(await problemOf(body, { [limit]: value })).toEqual([413, code, `limit ${limit}: ${value}`]);
  });

  it.each([
    ['formFieldsMaxCount', 2, text(...field('a', ''), ...file('b', ''), ...field('c', ''), '--B--')],
    ['formFilesMaxCount', 2, text(...file('a', ''), ...field('b', ''), ...file('c', ''), '--B--')],
    ['formPartsMaxCount', 3, text(...field('a', ''), ...file('b', ''), ...field('c', ''), '--B--')],
    ['formFieldMaxBytes', 6, text(...field('a', '123456'), '--B--')],
    ['formFieldMaxBytes', 6, text(...field('kont', 'x'.repeat(65_536)), '--B--')],
    ['formFieldMaxBytes', 70_000, text(...field('kont', 'x'.repeat(70_000)), '--B--')],
    ['formFileMaxBytes', 6, text(...file('a', '123456'), '--B--')],
  ] as const)('FormReader lets a form be that is at %s', async (limit, value, body) => {
    expect(await read([body], { [limit]: value })).toHaveProperty('parts');
  });

  it('FormReader takes a form that comes in one piece, however long that is, and says so', async () => {
    const value = 'x'.repeat(300_000);
    for (const epilogue of ['', 'y'.repeat(1000)]) {
      const body = text(...file('a', value), `--B--`, epilogue);
      const whole = await read([body], {}, 'B', (piece) => [piece]);
      expect(whole).toEqual({ parts: [['a', 'f', value]] });
    }
  });

  it.each([
    ['is empty', ''],
    ['has no delimiter', 'hello'],
    ['ends in a part', text(...field('a', '1')).toString('latin1')],
    ['ends in a head', '--B\r\nContent-Dispo'],
    ['ends in its last delimiter', `${text(...field('a', '1')).toString('latin1')}\r\n--B-`],
    ['has a part without a head', '--B\r\n\r\nx\r\n--B--'],
    ['has a part without a name', '--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--'],
    ['has a part of another disposition', '--B\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--B--'],
    ['has a part that is a delimiter', '--B\r\n--B\r\n--B--'],
    ['has a head without a colon', '--B\r\nContent-Disposition form-data; name="a"\r\n\r\nx\r\n--B--'],
    ['has another delimiter', '--C\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--C--'],
  ])('FormReader refuses a form that %s', async (_, body) => {
    expect((await problemOf(Buffer.from(body, 'latin1'))).slice(0, 2)).toEqual([400, 'REQUEST_FORM']);
  });

  it('FormReader refuses a head, a preamble and an epilogue without end before it has kept much of them', async () => {
    const endless = (start: string): Uint8Array[] => [
      Buffer.from(start),
      ...Array.from({ length: 100 }, () => Buffer.alloc(16_384, 'x')),
    ];
    const codeOf = async (start: string): Promise<string | null> => {
      const found = await read(endless(start));
      return 'problem' in found ? found.problem.code : null;
    };
    expect(await codeOf('--B\r\nX: ')).toBe('LIMIT_FORM_PART_HEAD');
    expect(await codeOf('')).toBe('REQUEST_FORM');
    expect(await codeOf(`${text(...field('a', '1'), '--B--').toString('latin1')}`)).toBe('REQUEST_FORM');
  });

  it('FormReader answers to any bytes, however they are cut, and leaves no file', async () => {
    const pieces = fc.array(
      fc.oneof(
        {
          weight: 3,
          arbitrary: fc.constantFrom('--B\r\n', '\r\n--B\r\n', '\r\n--B--', '--B--', '\r\n\r\n', '\r\n', '--', 'B'),
        },
        {
          weight: 3,
          arbitrary: fc.constantFrom(
            'Content-Disposition: form-data; name="a"',
            '; filename="f"',
            ': ',
            '; ',
            '"',
            '\\',
            '\0',
          ),
        },
        { weight: 1, arbitrary: fc.constant('x'.repeat(3000)) },
        {
          weight: 1,
          arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
        },
      ),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(pieces, cuts, fc.integer({ min: 1, max: 5 }), async (parts, shares, max) => {
        const limits = { formPartsMaxCount: max, formFileMaxBytes: 5000, formPartHeadMaxBytes: 200 };
        const found = await read(cutAt(Buffer.from(parts.join(''), 'latin1'), shares), limits);
        expect('problem' in found ? [400, 413].includes(found.problem.status) : found.parts.length <= max).toBe(true);
      }),
      { numRuns: 1000 },
    );
    expect([readdirSync(directory), place.memory.heldBytes]).toEqual([[], 0]);
  });

  it('FormReader.abort() at any moment ends it for good', async () => {
    const body = text(...file('f', 'x'.repeat(200_000)), ...field('a', '1'), '--B--');
    for (let turns = 0; turns < 20; turns += 1) {
      const spool = new Spool('test', place, 1000);
      let calls = 0;
      const count = (): void => void (calls += 1);
      const reader = new FormReader('B', DEFAULT_LIMITS, spool, {
        onRead: count,
        onFailed: count,
        onMemorySpent: count,
        onDrain: () => {},
      });
      for (let at = 0; at < body.length; at += 50_000) reader.push(body.subarray(at, at + 50_000));
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      reader.abort();
      reader.end();
      await spool.close();
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      expect(calls).toBe(0);
    }
    // A file that was just being made when its spool was closed goes as soon as it is there.
    await eventually(
      () => readdirSync(directory),
      (names) => names.length === 0,
    );
  });
});
