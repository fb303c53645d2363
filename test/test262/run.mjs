#!/usr/bin/env node
// npm run test262 -- <checkout of test262> [--inject share --seed s] [--saved] [--filter regexp] [--holdout k/n] [--jobs n] [--json file]
// (a) without --inject: every case that mentions async or await. (b) with it: the synchronous cases of test262/language, awaits
// injected. Each natively, compiled (plain), and with every await captured and re-entered (stress). What the native engine passes must
// pass compiled, but for expectations.txt; the exit code tells.
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    inject: { type: 'string' },
    seed: { type: 'string', default: '0' },
    saved: { type: 'boolean', default: false },
    filter: { type: 'string', default: '.' },
    holdout: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
if (!positionals[0]) {
  console.error('usage: run.mjs <test262 checkout> [--inject share --seed s]');
  process.exit(2);
}
const options = {
  root: resolve(positionals[0]),
  share: Number(values.inject ?? 0),
  seed: values.seed,
  saved: values.saved,
};
const batchSize = 40,
  silenceMs = 60_000;

const files = select(),
  results = new Map();
await Promise.all(
  Array.from({ length: Number(values.jobs) }, async () => {
    while (files.length) await runBatch(files.splice(0, batchSize));
  }),
);
report();

function select() {
  const root = join(options.root, 'test'),
    wanted = new RegExp(values.filter),
    [k, n] = (values.holdout ?? '0/1').split('/').map(Number);
  const isInjectable = (f) => /^language\/(?!module-code|import|export|eval-code|global-code)/.test(f);
  const mentionsAsync = (f) =>
    /\basync\b|\bawait\b/.test(readFileSync(join(root, f), 'utf8').replace(/\/\*---[\s\S]*?---\*\//, ''));
  return readdirSync(root, { recursive: true })
    .map((f) => f.replaceAll('\\', '/'))
    .filter(
      (f) =>
        /^(language|built-ins|annexB)\/.*\.js$/.test(f) &&
        !f.includes('_FIXTURE') &&
        wanted.test(f) &&
        createHash('sha256').update(f).digest().readUInt32BE(0) % n === k &&
        (options.share ? isInjectable(f) : mentionsAsync(f)),
    )
    .sort();
}

/** Runs cases in a child process; one that dies or falls silent costs only the case it was at. */
async function runBatch(batch) {
  const left = new Set(batch);
  while (left.size) {
    await new Promise((ended) => {
      const child = fork(new URL('./case.mjs', import.meta.url), {
        execArgv: ['--experimental-vm-modules', '--no-warnings', '--stack-size=900'],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      let current = null,
        alarm;
      const heard = () => {
        clearTimeout(alarm);
        alarm = setTimeout(() => child.kill('SIGKILL'), silenceMs);
      };
      heard();
      child.on('message', (m) => {
        heard();
        if (m.started) current = m.started;
        else {
          results.set(m.file, m.result);
          left.delete(m.file);
          if (!left.size) child.disconnect();
        }
      });
      child.on('exit', () => {
        clearTimeout(alarm);
        if (!current) {
          console.error('Cannot run any case: case.mjs ends as it starts. Run it by itself to see why.');
          process.exit(2);
        }
        const lost = left.has(current) ? current : null;
        if (lost) {
          results.set(lost, { native: 'crash' });
          left.delete(lost);
        }
        ended();
      });
      child.send({ files: [...left], options });
    });
  }
}

function report() {
  const expected = new Map(
    readFileSync(new URL('./expectations.txt', import.meta.url), 'utf8')
      .split('\n')
      .filter((l) => l && !l.startsWith('#'))
      .map((l) => l.split(/\s+#\s+/)),
  );
  const counted = [...results].filter(([, r]) => r.native === 'ok'),
    failures = counted.flatMap(([file, r]) =>
      ['plain', 'stress'].filter((m) => r[m] !== 'ok').map((mode) => ({ file, mode, why: r[mode] })),
    );
  const skipped = [...results.values()].filter((r) => r.native === 'skip').length;
  console.log(`${results.size - skipped} cases, ${counted.length} pass natively`);
  for (const mode of ['plain', 'stress'])
    console.log(
      `${mode}: ${counted.length - failures.filter((f) => f.mode === mode).length} pass, ${failures.filter((f) => f.mode === mode && expected.has(f.file)).length} fail as expected, ${failures.filter((f) => f.mode === mode && !expected.has(f.file)).length} fail unexpectedly`,
    );
  for (const f of failures)
    if (!expected.has(f.file)) console.log(`${f.mode} ${f.file}\n    ${f.why.split('\n')[0].slice(0, 200)}`);
  if (values.json)
    writeFileSync(
      values.json,
      JSON.stringify({ options, cases: results.size - skipped, native: counted.length, failures }, null, 1),
    );
  process.exitCode = counted.length === 0 || failures.some((f) => !expected.has(f.file)) ? 1 : 0;
}
