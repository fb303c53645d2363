/** What might stay when its servlet is gone: processes, sockets, files, descriptors, timers, threads. */
import { STRAY } from './attack-run.ts';
import { type Attack, family, memory, type Row, returns } from './attack.ts';

const SPAWN = `import { spawn } from 'node:child_process';`;
const trusted = (name: string, code: string, more: Partial<Row> = {}): Row => ({
  name,
  code,
  causes: [],
  statuses: [200],
  profile: 'trusted',
  ...more,
});

export const PERSISTENCE: readonly Attack[] = family(
  'P',
  [
    trusted(
      '50 child processes',
      `for (let i = 0; i < 50; i++) spawn('sleep', ['${STRAY}'], { stdio: 'ignore' }); for (;;);`,
      {
        prelude: SPAWN,
        // To start them takes time of other kinds.
        causes: ['cpu', 'wall'],
        statuses: [504],
        codes: ['LIMIT_CPU', 'LIMIT_WALL'],
      },
    ),
    trusted(
      'a child process that is left behind',
      `spawn('sleep', ['${STRAY}'], { stdio: 'ignore' }).unref(); return 'left';`,
      { prelude: SPAWN },
    ),
    trusted(
      'a child of a child',
      `spawn('sh', ['-c', 'sleep ${STRAY} & sleep ${STRAY} & wait'], { stdio: 'ignore' }); process.exit(1);`,
      {
        prelude: SPAWN,
        causes: ['crash'],
        statuses: [500],
      },
    ),
    trusted(
      'a child that leaves its process group',
      `spawn('sleep', ['${STRAY}'], { detached: true, stdio: 'ignore' }); process.exit(1);`,
      {
        prelude: SPAWN,
        causes: ['crash'],
        statuses: [500],
        isOpen: true,
      },
    ),
    trusted(
      'a child that leaves its session and its parent',
      `spawn('setsid', ['sh', '-c', 'sleep ${STRAY} & exec true'], { stdio: 'ignore' }); await new Promise((resolve) => setTimeout(resolve, 100)); return 'left';`,
      { prelude: SPAWN, isOpen: true },
    ),
    trusted(
      'a socket that listens',
      `return new Promise((resolve) => createServer().listen(0, '127.0.0.1', () => resolve('listening')));`,
      {
        prelude: `import { createServer } from 'node:net';`,
      },
    ),
    trusted(
      '200 connections',
      `
    const server = createServer(() => {}).listen(0, '127.0.0.1', () => { for (let i = 0; i < 100; i++) connect(server.address().port); });
    await new Promise((resolve) => setTimeout(resolve, 100)); return 'connected';`,
      {
        prelude: `import { connect, createServer } from 'node:net';`,
      },
    ),
    trusted('300 open files', `for (let i = 0; i < 300; i++) openSync('/dev/null'); return 'open';`, {
      prelude: `import { openSync } from 'node:fs';`,
    }),
    trusted(
      'all descriptors of its process',
      `try { for (;;) openSync('/dev/null'); } catch (error) { return error.code; }`,
      {
        prelude: `import { openSync } from 'node:fs';`,
        page: /^EMFILE$/,
        harmsItsCell: true,
        // A thread that starts in its process finds none left.
        causes: ['crash'],
      },
    ),
    memory(
      'threads with caps of their own',
      `
    for (let i = 0; i < 4; i++) new Worker('for (const hoard = [];;) hoard.push(new Array(1e5).fill(0))', { eval: true, resourceLimits: { maxOldGenerationSizeMb: 4000 } }).on('error', () => {});
    return new Promise(() => {});`,
      {
        prelude: `import { Worker } from 'node:worker_threads';`,
        profile: 'trusted',
      },
    ),
    {
      name: 'files in its temporary directory',
      code: `for (let i = 0; i < 200; i++) writeFileSync(join(tmpdir(), String(i)), 'x'.repeat(1000)); return 'written';`,
      prelude: `import { writeFileSync } from 'node:fs'; import { tmpdir } from 'node:os'; import { join } from 'node:path';`,
      causes: [],
      statuses: [200],
    },
    {
      name: 'directories, as deep as they go',
      code: `let path = tmpdir(); try { for (;;) mkdirSync((path += '/' + 'd'.repeat(100))); } catch (error) { return error.code; }`,
      prelude: `import { mkdirSync } from 'node:fs'; import { tmpdir } from 'node:os';`,
      causes: [],
      statuses: [200],
      page: /^(ENAMETOOLONG|LIMIT_TEMP)$/,
    },
    {
      name: 'a directory that nobody may enter',
      code: `mkdirSync(tmpdir() + '/x'); writeFileSync(tmpdir() + '/x/y', 'y'); chmodSync(tmpdir() + '/x', 0); process.exit(1);`,
      prelude: `import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'; import { tmpdir } from 'node:os';`,
      causes: ['crash'],
      statuses: [500],
    },
    {
      name: '500 open files of its own',
      code: `for (let i = 0; i < 500; i++) openSync(join(tmpdir(), String(i)), 'w'); return 'open';`,
      prelude: `import { openSync } from 'node:fs'; import { tmpdir } from 'node:os'; import { join } from 'node:path';`,
      causes: [],
      statuses: [200],
    },
    {
      name: 'timers that go on',
      code: `for (let i = 0; i < 1000; i++) setInterval(() => {}, 1); return 'ticking';`,
      causes: [],
      statuses: [200],
    },
    {
      name: 'process.exit',
      code: `process.exit(3);`,
      causes: ['crash'],
      statuses: [500],
      codes: ['SERVLET_CRASH'],
    },
    trusted('process.exit, as a trusted servlet', `process.exit(3);`, {
      causes: ['crash'],
      statuses: [500],
      codes: ['SERVLET_CRASH'],
    }),
    trusted('process.kill of itself', `process.kill(process.pid, 'SIGKILL'); for (;;);`, {
      causes: ['abort'],
      statuses: [500],
      codes: ['SERVLET_ABORT'],
    }),
    trusted(
      'V8 flags that abort',
      `setFlagsFromString('--allow-natives-syntax'); new Function('%SystemBreak()')(); return 'unbroken';`,
      {
        prelude: `import { setFlagsFromString } from 'node:v8';`,
        causes: ['abort'],
        statuses: [500],
        codes: ['SERVLET_ABORT'],
      },
    ),
    trusted('its descriptors closed', `for (let fd = 3; fd < 64; fd++) try { closeSync(fd); } catch {} for (;;);`, {
      prelude: `import { closeSync } from 'node:fs';`,
      causes: ['abort', 'crash', 'cpu'],
      statuses: [500, 503, 504],
      harmsItsCell: true,
    }),
    {
      name: 'a promise rejected unhandled',
      code: `Promise.reject(new Error('nobody catches this')); return new Promise(() => {});`,
      causes: ['crash'],
      statuses: [500],
      codes: ['SERVLET_CRASH'],
    },
    {
      name: 'a throw in a timer',
      code: `setTimeout(() => { throw new Error('nobody catches this'); }); return new Promise(() => {});`,
      causes: ['crash'],
      statuses: [500],
      codes: ['SERVLET_CRASH'],
    },
    {
      name: 'a throw of nothing that could be described',
      code: `setTimeout(() => { throw new Proxy({}, { get() { throw 1; }, has() { throw 2; }, getPrototypeOf() { throw 3; } }); }); return new Promise(() => {});`,
      causes: ['crash'],
      statuses: [500],
      codes: ['SERVLET_CRASH'],
    },
    {
      name: 'death at load',
      code: `export default () => 'never'; process.exit(5);`,
      causes: ['crash'],
      statuses: [503],
      codes: ['SERVLET_LOAD', 'SERVLET_BENCHED'],
      isAllBad: true,
    },
    returns(
      '2000 files that are being opened',
      `for (let i = 0; i < 2000; i++) open(join(tmpdir(), 'f' + i), 'w', () => {}); return 'opening';`,
      /^opening$/,
      {
        prelude: `import { open } from 'node:fs'; import { tmpdir } from 'node:os'; import { join } from 'node:path';`,
      },
    ),
    returns(
      'a tree that is deeper than a path can be long',
      `let deep = tmpdir(); while (deep.length + 202 < 4000) mkdirSync((deep = join(deep, 'x'.repeat(200))));
       mkdirSync(join(tmpdir(), 'd')); writeFileSync(join(tmpdir(), 'd', 'f'.repeat(200)), 'x');
       renameSync(join(tmpdir(), 'd'), join(deep, 'd'.repeat(4080 - deep.length))); return 'made';`,
      /^made$/,
      {
        prelude: `import { mkdirSync, renameSync, writeFileSync } from 'node:fs'; import { tmpdir } from 'node:os'; import { join } from 'node:path';`,
      },
    ),
  ],
  { cpuMs: 1000, wallMs: 5000 },
);
