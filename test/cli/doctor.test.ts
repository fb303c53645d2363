import { describe, expect, test } from 'vitest';
import { createPaint } from '../../packages/host/src/cli/paint.ts';
import { examine, missingWalls, render } from '../../packages/host/src/doctor.ts';
import { examineMemory } from '../../packages/host/src/doctor/memory.ts';
import { strippedNodeOptions } from '../../packages/host/src/doctor/node-options.ts';
import { outputOf, probe } from '../../packages/host/src/doctor/wall.ts';

const MB = 1024 * 1024;
const plain = createPaint({}, {});

describe('examine()', () => {
  test('tries every wall, and finds this machine able to hold servlets', async () => {
    const report = await examine();
    expect(report.isAble).toBe(true);
    for (const wall of report.walls) {
      expect(wall.seen, wall.name).not.toBe('');
      expect(wall.stops, wall.name).not.toBe('');
    }
    const states = new Map(report.walls.map((wall) => [wall.name, wall.state]));
    expect(states.get('process per servlet')).toBe('used');
    expect(states.get('permission model')).toBe('used');
    // What the host does not put servlets behind is never claimed.
    for (const name of ['namespaces by unshare']) {
      expect(states.get(name), name).not.toBe('used');
    }
  });

  test('says of the network what this version of Node says', async () => {
    const { walls } = await examine();
    const network = walls.find((wall) => wall.name === 'permission model for the network');
    const isGated = process.allowedNodeEnvironmentFlags.has('--allow-net');
    expect(network?.state).toBe(isGated ? 'used' : 'missing');
  });
});

test('missingWalls() lists walls that the host would use, and only those', async () => {
  for (const wall of await missingWalls()) expect(wall.state).toBe('missing');
});

describe('probe()', () => {
  const wall = { name: 'w', stops: 's', profiles: ['guest'] as const };

  test('takes what an attempt throws for the reason why the wall is missing', async () => {
    const attempt = (): string => {
      throw new Error('no such thing\nand more');
    };
    expect(await probe({ ...wall, attempt })).toMatchObject({ state: 'missing', seen: 'no such thing' });
  });

  test('tells used from available', async () => {
    const attempt = (): string => 'fine';
    expect(await probe({ ...wall, attempt })).toMatchObject({ state: 'used', seen: 'fine' });
    expect(await probe({ ...wall, profiles: [], attempt })).toMatchObject({ state: 'available' });
  });
});

describe('outputOf()', () => {
  test('names a program that is not there', async () => {
    await expect(outputOf('custodian-no-such-program', [])).rejects.toThrow('there is no custodian-no-such-program');
  });

  test('reports what a program that fails has to say', async () => {
    await expect(
      outputOf(process.execPath, ['--eval', `console.error('why\\nmore'); process.exit(3)`]),
    ).rejects.toThrow(/^why$/);
  });
});

describe('examineMemory()', () => {
  test('counts how many servlets fit at their caps', () => {
    expect(examineMemory(8000 * MB, 0)).toMatchObject({
      machineMb: 8000,
      containerMb: null,
      budgetMb: 6000,
      servletMb: 400,
      servletsCount: 15,
    });
  });

  test('takes a container for the machine when it is smaller', () => {
    expect(examineMemory(8000 * MB, 500 * MB)).toMatchObject({ containerMb: 500, budgetMb: 375, servletsCount: 0 });
    expect(examineMemory(8000 * MB, 2 ** 63)).toMatchObject({ containerMb: null });
  });
});

describe('strippedNodeOptions()', () => {
  const flagsOf = (text: string): string[] => strippedNodeOptions({ NODE_OPTIONS: text }).map(({ flag }) => flag);

  test.each([
    ['--max-old-space-size=8000', ['--max-old-space-size=8000']],
    ['--max_old_space_size=8000 --no-warnings', ['--max_old_space_size=8000']],
    ['--require ./a.js --import=b', ['--require', '--import=b']],
    ['-r ./a.js', ['-r']],
    ['"--require" "./with space.js"', ['--require']],
    ['--require="./with space.js"', ['--require=./with space.js']],
    ['--inspect=0.0.0.0:9229', ['--inspect=0.0.0.0:9229']],
    ['--allow-fs-read=*', ['--allow-fs-read=*']],
    ['--no-warnings --enable-source-maps', []],
    ['', []],
  ])('%s', (text, flags) => {
    expect(flagsOf(text)).toEqual(flags);
  });

  test('finds nothing where nothing is set', () => {
    expect(strippedNodeOptions({})).toEqual([]);
  });
});

describe('render()', () => {
  test('says what is wrong, and has no colours unless asked for them', async () => {
    const report = await examine();
    report.nodeOptions = [{ flag: '--max-old-space-size=1', why: 'it replaces the heap cap of every thread' }];
    report.walls[1] = { ...report.walls[1]!, state: 'missing', seen: 'a reason' };
    report.isAble = false;
    const text = render(report, plain);
    expect(text).toContain('not here: a reason');
    expect(text).toContain('--max-old-space-size=1: not passed on to cells, because it replaces the heap cap');
    expect(text).toContain('Servlets cannot be held here');
    expect(text).not.toContain('\u001B');
    expect(render(report, createPaint({ isTTY: true }, {}))).toContain('\u001B[31m');
  });
});

describe('createPaint()', () => {
  test.each([
    [{ isTTY: true }, {}, true],
    [{ isTTY: true }, { NO_COLOR: '' }, true],
    [{ isTTY: true }, { NO_COLOR: '0' }, false],
    [{ isTTY: true }, { TERM: 'dumb' }, false],
    [{ isTTY: false }, {}, false],
    [{}, {}, false],
  ])('%j %j', (screen, env, isColoured) => {
    expect(createPaint(screen, env)('red', 'x') !== 'x').toBe(isColoured);
  });
});
