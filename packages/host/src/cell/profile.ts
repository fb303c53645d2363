import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Profile } from '../options.ts';

/**
 * What every thread must be able to read: its runtime, the protocol, and Piscina's side of a thread. Of each the whole
 * package: it is package.json, one directory above the entry, that tells Node what a `.js` is.
 */
const RUNTIME: readonly string[] = ['@custodian/worker', '@custodian/protocol', 'piscina'].map((name) =>
  join(dirname(fileURLToPath(import.meta.resolve(name))), '../'),
);
/** The packages of the continuation compiler, which works in the thread that needs it. */
const COMPILER = packageDirectories(import.meta.resolve('@custodian/worker'), [
  'acorn',
  'astring',
  '@jridgewell/sourcemap-codec',
]);

/** What the library gives every guest's thread to read, wherever it is installed. */
export const LIBRARY_GRANTS: readonly string[] = [...RUNTIME, ...COMPILER];

function packageDirectories(from: string, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const directory = findPackageJSON(name, from);
    if (directory === undefined) return [];
    const { dependencies } = JSON.parse(readFileSync(directory, 'utf8')) as { dependencies?: Record<string, string> };
    return [`${dirname(directory)}/`, ...packageDirectories(directory, Object.keys(dependencies ?? {}))];
  });
}

/** What a jailed cell must see: its supervisor with its packages, the threads' runtime, and its servlets with theirs. */
export function jailReadable(servletFiles: Iterable<string>, packages: Iterable<string>, cacheDir: string): string[] {
  const host = join(dirname(fileURLToPath(import.meta.url)), '../../');
  const seen = new Set([host, cacheDir, ...LIBRARY_GRANTS, ...Array.from(packages, (url) => fileURLToPath(url))]);
  for (const directory of [host, ...Array.from(servletFiles, (file) => `${dirname(file)}/`)]) {
    seen.add(directory);
    for (const path of packagePlaces(directory)) seen.add(path);
  }
  return [...seen];
}

/** Resolving a package looks at each of these upwards. */
function packagePlaces(from: string): string[] {
  const places: string[] = [];
  for (let directory = from; ; directory = dirname(directory)) {
    places.push(join(directory, 'node_modules', '/'), join(directory, 'package.json'));
    if (directory === dirname(directory)) return places;
  }
}

/** Node's flags for a cell's process. A narrower set goes to its threads. */
export function cellFlags(profile: Profile, cacheDir: string, tempDir: string): string[] {
  if (profile === 'trusted') return [];
  const writable = [cacheDir, tempDir].map((directory) => `--allow-fs-write=${directory}/`);
  return ['--permission', '--allow-worker', '--allow-fs-read=*', ...writable];
}

/**
 * Node's flags for a guest's threads: no file but the servlet's own directory, its packages and the runtime, nothing
 * to write but its temporary directory, no process, no thread, no addon, no SQLite. A thread may have less than its
 * process, never more. `tempDir` must be there before the thread is. `packages`: the `file:` URLs of those that are
 * compiled with it.
 */
export function threadFlags(
  profile: Profile,
  servletFile: string,
  tempDir: string,
  packages: readonly string[],
): string[] {
  if (profile === 'trusted') return [];
  // The packages: one that is linked is not where it is looked for.
  const readable = new Set([
    ...LIBRARY_GRANTS,
    `${dirname(servletFile)}/`,
    `${tempDir}/`,
    ...packages.map((url) => fileURLToPath(url)),
  ]);
  for (const path of packagePlaces(dirname(servletFile))) readable.add(path);
  return [
    '--permission',
    ...Array.from(readable, (path) => `--allow-fs-read=${path}`),
    `--allow-fs-write=${tempDir}/`,
    // It opens files past the permission model.
    '--no-experimental-sqlite',
  ];
}
