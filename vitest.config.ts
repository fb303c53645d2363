import { defineConfig } from 'vitest/config';

/**
 * Files that look at no clock and measure nothing: what they claim is as true when another file runs beside them. They run two at a
 * time. Whatever asserts a duration, a size in memory, or what processes the machine has, is not among them, and has the machine alone.
 */
const TWO_AT_ONCE = [
  'test/continuation/**/!(hostile).test.ts',
  'test/protocol/**/*.test.ts',
  'test/worker/!(auth|cookie)/**/*.test.ts',
  'test/worker/*.test.ts',
  'test/repository/**/*.test.ts',
  'test/fuzz/**/*.test.ts',
  'test/testing/**/*.test.ts',
  'test/cli/{arguments,check,config,nearest-name}.test.ts',
  'test/upload/{form-reader,spool}.test.ts',
  'test/conformance/{b,c,e,f,h}-*.test.ts',
  'test/conformance/{continuations,stateless}-page.test.ts',
  'test/conformance/g-{requests,statuses}.test.ts',
  'test/conformance/i-{dispatch,formlets}.test.ts',
  'test/e2e/{back,examples,post,replicas}.test.ts',
  'test/host/checkpoint/**/*.test.ts',
  'test/host/{keys,log,version}/**/*.test.ts',
  'test/host/http/!(conditions|range).test.ts',
  'test/host/store/!(shared-stores).test.ts',
  'test/host/compiled-*.test.ts',
  'test/host/{dead-requests,file-box-service,forged-continuations,kill-flows,options,passing,refusals,reload,routing,stateless}.test.ts',
];

const NOT_TESTS = '**/node_modules/**';

/** `vitest run` is the everyday suite; `vitest run --mode slow` is the one for what takes minutes (test/slow). */
export default defineConfig(({ mode }) => ({
  test: {
    globals: false,
    // Threads would share one process with the hosts under test, whose signals, descriptors and exits are the matter.
    pool: 'forks',
    // A machine that others share stalls now and then for longer than a clock here allows. The report names what was repeated.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    passWithNoTests: mode === 'slow',
    projects:
      mode === 'slow'
        ? [
            {
              extends: true,
              test: {
                name: 'slow',
                include: ['test/slow/**/*.test.ts'],
                maxWorkers: 1,
                // Here: what a project takes from above is read without the mode.
                testTimeout: 600_000,
              },
            },
          ]
        : [
            {
              extends: true,
              test: {
                name: 'two at once',
                include: TWO_AT_ONCE,
                exclude: [NOT_TESTS],
                maxWorkers: 2,
                sequence: { groupOrder: 1 },
              },
            },
            {
              extends: true,
              test: {
                name: 'alone',
                include: ['test/**/*.test.ts'],
                exclude: [NOT_TESTS, 'test/slow/**', ...TWO_AT_ONCE],
                maxWorkers: 1,
                sequence: { groupOrder: 2 },
              },
            },
          ],
  },
}));
