import { glob, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LIMITS } from '../../packages/host/src/limits.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CODE = /['"`]((?:LIMIT|CUSTODIAN|SERVLET|REQUEST|ASK|STORE|FILE|FETCH|CHECKPOINT)_[A-Z][A-Z_]*)['"`]/g;
// Names of environment variables, which look like codes.
const NO_CODES = new Set(['CUSTODIAN_FOUND_NODE', 'CUSTODIAN_KEYS']);

async function codesInSource(): Promise<Set<string>> {
  const codes = new Set<string>();
  for await (const file of glob('packages/*/{src,bin}/**/*.{ts,js}', { cwd: ROOT })) {
    const text = await readFile(ROOT + file, 'utf8');
    for (const match of text.matchAll(CODE)) if (!NO_CODES.has(match[1]!)) codes.add(match[1]!);
  }
  return codes;
}

async function page(): Promise<string> {
  return readFile(`${ROOT}docs/errors.md`, 'utf8');
}

async function headings(): Promise<string[]> {
  return [...(await page()).matchAll(/^### (\S+)$/gm)].map((match) => match[1]!);
}

test('docs/errors.md has one heading for every code of the source, and none for a code that is gone', async () => {
  const found = await headings();
  expect(new Set(found).size).toBe(found.length);
  expect([...found].sort()).toEqual([...(await codesInSource())].sort());
});

test('docs/errors.md says under every limit its name and its status', async () => {
  const text = await page();
  for (const [name, { code, status }] of Object.entries(LIMITS)) {
    const section = text.split(`### ${code}\n`)[1]?.split('\n#')[0] ?? '';
    expect(section, code).toContain(`\`${name}\``);
    expect(section, code).toContain(status === 0 ? '' : String(status));
  }
});

test('docs/errors.md says under every code when it happens, and links only to what is there', async () => {
  const text = await page();
  for (const section of text.split(/^### /m).slice(1)) expect(section).toMatch(/^\S+\n\n\*\*When:\*\* /);
  const anchors = new Set(
    [...text.matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!.toLowerCase().replaceAll(' ', '-')),
  );
  for (const [, target] of text.matchAll(/\]\(#([^)]*)\)/g)) expect(anchors).toContain(target);
});
