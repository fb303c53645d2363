import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { servletLines } from '../../../packages/host/src/cli/serve-command.ts';
import { renderTable } from '../../../packages/host/src/cli/table.ts';
import type { ServletStatus } from '../../../packages/host/src/index.ts';
import { formatterOf, LOG_FORMATS, type LogFormat } from '../../../packages/host/src/log/log-format.ts';
import { HostLog } from '../../../packages/host/src/log.ts';

/** Clears the screen by ESC and by C1, names the window, deletes, turns the direction. */
const HOSTILE = 'a\u001B[2Jb\u009B2Jc\u001B]0;owned\u0007d\u009D0;owned\u009Ce\u007Ff\u202Eg\u2067h\u061Ci';
// oxlint-disable-next-line no-control-regex
const ACTING = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u061C\u202E\u2067]/;

test('the log has nothing in it that a terminal acts on, and says all that a servlet said', () => {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-log-'));
  try {
    const file = join(directory, 'log');
    const log = new HostLog('requests', openSync(file, 'w'));
    log.servletOutput('x', 1, HOSTILE);
    log.servletFailure('x', { name: 'Error', message: HOSTILE, stack: HOSTILE });
    log.close();
    const text = readFileSync(file, 'utf8');
    expect(text).not.toMatch(ACTING);
    const [output, failure] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, never>);
    expect(output?.['msg']).toBe(HOSTILE);
    expect(failure?.['failure']).toMatchObject({ message: HOSTILE });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a line of the request log, as JSON too, has nothing in it that a terminal acts on', () => {
  const request = {
    method: 'GET',
    url: `/${HOSTILE}`,
    httpVersion: '1.1',
    clientIp: '::1',
    hostIp: '::1',
    hostPort: 80,
  };
  const response = { status: 200, bodyBytes: 1, totalMs: 1, at: new Date(0), code: '' };
  const lineOf = (format: LogFormat): string => formatterOf(format)({ ...request, header: () => HOSTILE }, response);
  for (const format of LOG_FORMATS) expect(lineOf(format)).not.toMatch(ACTING);
  expect(JSON.parse(lineOf('json'))).toMatchObject({ url: `/${HOSTILE}`, userAgent: HOSTILE });
});

test('why a servlet is benched, and its name, are printed without what a terminal acts on', () => {
  const status = { name: HOSTILE, url: `http://h/${HOSTILE}`, state: 'benched', error: HOSTILE } as ServletStatus;
  const lines = servletLines([status], (_style, text) => text);
  expect(lines.join('\n')).not.toMatch(ACTING);
  expect(lines.join('\n')).toContain('benched: a\uFFFD[2Jb');
  expect(renderTable(['NAME'], [[HOSTILE]], (_style, text) => text)).not.toMatch(ACTING);
});
