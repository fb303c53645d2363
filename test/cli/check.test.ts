import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ServletDirectory } from '../support/servlet-directory.ts';

const PROGRAM = fileURLToPath(new URL('../../packages/host/bin/custodian.js', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));

interface Ended {
  code: number;
  out: string;
  err: string;
}
function custodian(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], { env: { PATH: process.env['PATH'] } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : (error.code as unknown as number), out, err }),
    );
  });
}

const HELD = `import { html, sendSuspend } from '@custodian/worker';
export const stateless = true;
export default async function held(): Promise<string> {
  const answer: Promise<Response> = fetch('http://localhost/');
  await sendSuspend((url: string) => html\`<a href="\${url}">on</a>\`);
  return String((await answer).status);
}`;

describe('custodian check', () => {
  test('names the file, the line, the variable and the way out, and exits with 1', async () => {
    using directory = new ServletDirectory({ 'held.ts': HELD });
    const { code, out, err } = await custodian('check', directory.file('held.ts'));
    expect(err).toBe('');
    expect(code).toBe(1);
    expect(out).toMatch(
      /held\.ts:4:37 error Cannot save the page of line 5: "answer" is a promise: await it before the page is shown \(SERVLET_UNSERIALIZABLE\)\n {4}.*fetch.*\n {40}\^\n1 servlet: 1 error, 0 warnings\n$/,
    );
  });

  test('--json gives the same as data', async () => {
    using directory = new ServletDirectory({ 'held.ts': HELD });
    const { code, out } = await custodian('check', '--json', directory.file('held.ts'));
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      files: [directory.file('held.ts')],
      findings: [
        {
          severity: 'error',
          code: 'SERVLET_UNSERIALIZABLE',
          file: directory.file('held.ts'),
          line: 4,
          column: 37,
          variable: 'answer',
          path: 'answer',
          suspension: { line: 5, column: 3 },
        },
      ],
    });
  });

  test('finds nothing in the examples, however they are served, and exits with 0', async () => {
    expect(await custodian('check', EXAMPLES)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+ servlets: 0 errors, 0 warnings\n$/) as string,
    });
    expect(await custodian('check', '--stateless', EXAMPLES)).toMatchObject({ code: 0 });
  });

  test('without a servlet, or with one that is not there, exits with 2 and says so', async () => {
    expect(await custodian('check')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Cannot check: name a servlet') as string,
    });
    expect(await custodian('check', '/nowhere.ts')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Cannot check "/nowhere.ts": it does not exist') as string,
    });
    expect((await custodian('check', '--jsno', EXAMPLES)).err).toContain('--json');
    expect((await custodian('check', '--help')).out).toContain('Usage: custodian check');
  });
});
