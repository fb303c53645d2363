import { defineConfig } from 'vitest/config';

/** `vitest run` is the everyday suite; `vitest run --mode slow` is the one for what takes minutes (test/slow). */
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'slow' ? ['test/slow/**/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: mode === 'slow' ? ['**/node_modules/**'] : ['**/node_modules/**', 'test/slow/**'],
    globals: false,
    // Threads would share one process with the hosts under test, whose signals, descriptors and exits are the matter.
    pool: 'forks',
    // Each test file runs a host of several processes and looks at clocks: two at once would measure each other.
    maxWorkers: 1,
    // A machine that others share stalls now and then for longer than a clock here allows. The report names what was repeated.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: mode === 'slow' ? 600_000 : 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    passWithNoTests: mode === 'slow',
  },
}));
