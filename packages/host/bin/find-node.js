// Finds a Node that can run this repository. Plain JavaScript that old versions of Node parse as well.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const NODE_MIN_MAJOR = 24;

/** 'v24.1.0' -> 24; anything else -> 0. */
export function majorOf(version) {
  const match = /^v(\d+)\./.exec(String(version));
  return match === null ? 0 : Number(match[1]);
}

/** The Node nearest to this file that npm installed and that is new enough and runs on this machine, or null. */
export function findNode() {
  const program = process.platform === 'win32' ? 'node.exe' : 'node';
  // What npm's package `node` depends on; the optional dependencies of this repository.
  const carriers = [
    'node-' + process.platform.replace('win32', 'win') + '-' + process.arch,
    'node-bin-' + process.platform + '-' + process.arch,
    'node',
  ];
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const modules = join(folder, 'node_modules');
    const candidates = [join(modules, '.bin', program)];
    for (const carrier of carriers) candidates.push(join(modules, carrier, 'bin', program));
    for (const candidate of candidates) {
      // A program for another C library is there and does not run, so that only its answer counts.
      if (existsSync(candidate) && majorOf(answerOf(candidate)) >= NODE_MIN_MAJOR) return candidate;
    }
    const parent = dirname(folder);
    if (parent === folder) return null;
    folder = parent;
  }
}

/** The one line for a machine on which no such Node is to be found. */
export function complaint(what) {
  return (
    what +
    ' needs Node ' +
    NODE_MIN_MAJOR +
    ' or newer; this is ' +
    process.version +
    '. Run `npm ci` in the checkout, which brings one along, or install one from https://nodejs.org'
  );
}

function answerOf(program) {
  const result = spawnSync(program, ['--version'], {
    encoding: 'utf8',
    timeout: 10000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return result.status === 0 ? result.stdout.trim() : '';
}
