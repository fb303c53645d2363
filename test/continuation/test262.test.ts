import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const CASES = {
  'harness/assert.js': `var assert = { sameValue(a, b) { if (!Object.is(a, b)) throw new Test262Error(a + ' is not ' + b); } };`,
  'harness/sta.js': `function Test262Error(message) { this.message = message; }`,
  'harness/doneprintHandle.js': `function $DONE(error) { print(error ? 'Test262:AsyncTestFailure:' + error.message : 'Test262:AsyncTestComplete'); }`,
  'test/language/asynchronous.js': `/*---\nflags: [async]\n---*/
    (async function () { let n = 0; for (const x of [1, 2]) n += await x; assert.sameValue(n, 3); })().then($DONE, $DONE);`,
  'test/language/synchronous.js': `/*---\n---*/
    const [a, { b = 2 }] = [1, {}]; let n = 0; for (const x of [a, b]) n += x; assert.sameValue(n, 3);`,
  'test/language/wrong.js': `/*---\nflags: [async]\n---*/
    (async function () { await 1; assert.sameValue(1, 2); })().then($DONE, $DONE);`,
};

// The suite itself is run by hand; this keeps its runner, and the adapter that others hold against it, fit to be run.
for (const options of [
  ['--filter', 'a'],
  ['--inject', '0.5', '--seed', '1'],
])
  test(`test262: the runner tells what passes natively, compiled, and in stress (${options.join(' ')})`, () => {
    const checkout = mkdtempSync(join(tmpdir(), 'test262-'));
    try {
      for (const [name, text] of Object.entries(CASES)) {
        mkdirSync(dirname(join(checkout, name)), { recursive: true });
        writeFileSync(join(checkout, name), text);
      }
      const runner = fileURLToPath(new URL('../test262/run.mjs', import.meta.url));
      const { stdout, stderr, status } = spawnSync(process.execPath, [runner, checkout, ...options], {
        encoding: 'utf8',
      });
      expect(stdout, stderr).toMatch(
        /^\d cases, 1 pass natively\nplain: 1 pass, 0 fail as expected, 0 fail unexpectedly\nstress: 1 pass,/,
      );
      expect(status).toBe(0);
    } finally {
      rmSync(checkout, { recursive: true });
    }
  }, 60_000);
