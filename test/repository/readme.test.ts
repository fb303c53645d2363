import { access, glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LIMITS } from '../../packages/host/src/limits.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('README.md lists every limit with its default, its answer and its code', async () => {
  const text = await readFile(`${ROOT}README.md`, 'utf8');
  const rows = text.split('\n').filter((line) => /^\| `\w+` \| \d+ \| /.test(line));
  expect(rows).toEqual(
    Object.entries(LIMITS).map(
      ([name, { default: value, status, code }]) =>
        `| \`${name}\` | ${value} | ${status || 'no page'} | [${code}](docs/errors.md#${code.toLowerCase()}) |`,
    ),
  );
});

test('every link from one page of the repository to another leads somewhere', async () => {
  for await (const file of glob('{*.md,docs/**/*.md,packages/*/*.md}', { cwd: ROOT })) {
    const text = await readFile(join(ROOT, file), 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
      await expect(access(join(ROOT, dirname(file), target!)), `${target} in ${file}`).resolves.toBeUndefined();
    }
  }
});

test('README.md and .ci/run name scripts that package.json has', async () => {
  const { scripts } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> };
  for (const file of ['README.md', '.ci/run']) {
    const text = await readFile(join(ROOT, file), 'utf8');
    for (const [, name] of text.matchAll(/npm (?:run )?(start|test(?::\w+)?|ok|check|bench)\b/g)) {
      expect(scripts, `${name} in ${file}`).toHaveProperty([name!]);
    }
  }
});
