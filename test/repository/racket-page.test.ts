import { access, glob, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NUMBER = /^C\d{3}$/;

/** The rows of docs/racket.md: Racket's name, ours, where it is tested, how they differ. */
async function rows(): Promise<string[][]> {
  const text = await readFile(`${ROOT}docs/racket.md`, 'utf8');
  return text
    .split('\n')
    .filter((line) => /^\| (?!Racket \|)/.test(line))
    .map((line) =>
      line
        .replaceAll('\\|', '\u0001')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

async function conformanceNumbers(): Promise<Set<string>> {
  const numbers = new Set<string>();
  for await (const file of glob('test/**/*.test.ts', { cwd: ROOT }))
    for (const [number] of (await readFile(ROOT + file, 'utf8')).matchAll(/\bC\d{3}\b/g)) numbers.add(number);
  return numbers;
}

const exists = (path: string): Promise<boolean> =>
  access(ROOT + path).then(
    () => true,
    () => false,
  );

test('docs/racket.md has four full cells in every row', async () => {
  const all = await rows();
  expect(all.length).toBeGreaterThan(200);
  for (const row of all) {
    expect(row, row[0]).toHaveLength(4);
    for (const cell of row) expect(cell, row[0]).not.toMatch(/^-?$/);
  }
});

/** Does that test exist: a number of the conformance list, a file, or a directory? */
async function isTest(name: string, numbers: ReadonlySet<string>): Promise<boolean> {
  if (NUMBER.test(name)) return numbers.has(name);
  return (await exists(`test/${name}.test.ts`)) || (await exists(`test/${name}`)) || exists(`test/${name}.ts`);
}

/** What a cell names, without the words between. */
function namesIn(tested: string): string[] {
  return tested
    .split(/[,;()]| to |–| in |see the sections on them/)
    .map((part) => part.trim().replace(/^(?:conformance|curl)(?:\s+|$)/, ''))
    .filter((part) => part !== '');
}

/** What a row's tests say, all together. */
async function textOf(tested: string, texts: ReadonlyMap<string, string>): Promise<string> {
  const names = namesIn(tested);
  return [...texts]
    .filter(([file, text]) =>
      names.some((name) => (NUMBER.test(name) ? text.includes(name) : file.startsWith(`test/${name}`))),
    )
    .map(([, text]) => text)
    .join('');
}

test('docs/racket.md names tests in which what a row is about is used', async () => {
  const { dispatchers, LIMITS } = await import('@custodian/host');
  const surface = [await import('@custodian/worker'), await import('@custodian/host/testing'), dispatchers, LIMITS];
  const known = new Set(surface.flatMap((names) => Object.keys(names)));
  const texts = new Map<string, string>();
  for await (const file of glob('test/**/*.ts', { cwd: ROOT })) texts.set(file, await readFile(ROOT + file, 'utf8'));
  const missing: string[] = [];
  for (const [racket, here, tested] of await rows()) {
    // Said of all rows of a section, in a sentence above it.
    const text = await textOf(tested === 'see the sections on them' ? 'conformance' : tested!, texts);
    for (const [, code] of here!.matchAll(/`([^`]+)`/g))
      for (const name of new Set(code!.match(/[A-Za-z]\w+/g)))
        if (known.has(name) && text !== '' && !text.includes(name)) missing.push(`${racket}: ${name}`);
  }
  expect(missing).toEqual([]);
});

test('docs/racket.md names a test that is there, or the decision that leaves a feature out, in every row', async () => {
  const numbers = await conformanceNumbers();
  const missing: string[] = [];
  for (const [racket, here, tested] of await rows()) {
    const decision = /^decision (\d{4})$/.exec(tested!)?.[1];
    if (decision === undefined) {
      for (const name of namesIn(tested!)) if (!(await isTest(name, numbers))) missing.push(`${racket}: ${name}`);
    } else {
      const pages = await Array.fromAsync(glob(`docs/decisions/${decision}-*.md`, { cwd: ROOT }));
      if (pages.length !== 1 || !here!.startsWith('not here')) missing.push(`${racket}: ${tested}`);
    }
  }
  expect(missing).toEqual([]);
});
