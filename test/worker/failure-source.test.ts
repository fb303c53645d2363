import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authorsFailure } from '../../packages/worker/src/failure-source.ts';

describe('authorsFailure()', () => {
  let root: string;
  let directory: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'custodian-failure-'));
    directory = `${join(root, 'My Söps (1)')}/`;
    mkdirSync(directory);
    writeFileSync(
      join(directory, 'shop.ts'),
      'export const sell = (item: string): never => {\n  throw new Error(item);\n};\n',
    );
  });
  afterAll(() => rmSync(root, { recursive: true }));

  test.each([
    ['a path, as maps give it', (file: string) => file],
    ['a URL, as modules have that are run as they are', (file: string) => pathToFileURL(file).href],
  ])('shows the line, whatever the directory is called: %s', (_, locationOf) => {
    const file = join(directory, 'shop.ts'),
      error = new Error('tea');
    error.stack = `Error: tea\n    at Map.forEach (<anonymous>)\n    at sell$1 (${locationOf(file)}:2:9)`;
    const { source, stack } = authorsFailure(error, directory);
    expect(source).toBe(
      `${file}:2:9\n  1 | export const sell = (item: string): never => {\n> 2 |   throw new Error(item);\n    |         ^\n  3 | };\n  4 | `,
    );
    expect(stack).toContain('at sell (');
  });

  test.each([
    ['a path', (file: string) => file],
    ['a URL', (file: string) => pathToFileURL(file).href],
  ])('shows the line that Node could not read: %s', (_, locationOf) => {
    const file = join(directory, 'broken.ts'),
      error = new SyntaxError("Expected ',', got ';'");
    writeFileSync(file, 'const a: number = 1;\nconst b = (;\n');
    error.stack = `${locationOf(file)}:2\nconst b = (;\n           ^\n\nSyntaxError: Expected\n    at parseTypeScript (node:internal/modules/typescript:72:36)`;
    expect(authorsFailure(error, directory).source).toContain(
      `${file}:2:12\n  1 | const a: number = 1;\n> 2 | const b = (;\n    |            ^`,
    );
  });
});
