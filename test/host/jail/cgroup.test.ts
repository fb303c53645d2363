import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CgroupTree, delegatedGroup } from '../../../packages/host/src/jail/cgroup.ts';

const MB = 1 << 20;

/** A tree of files that looks like the kernel's: what is written there is read back, and no more. */
describe('CgroupTree', () => {
  let root: string;
  let group: string;
  let files: { membership: string; mounts: string };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'custodian-cgroup-'));
    group = join(root, 'fs', 'unit.service');
    mkdirSync(group, { recursive: true });
    files = { membership: join(root, 'cgroup'), mounts: join(root, 'mounts') };
    writeFileSync(files.membership, '4:memory:/elsewhere\n0::/unit.service\n');
    writeFileSync(files.mounts, `tmpfs /tmp tmpfs rw 0 0\ncgroup2 ${join(root, 'fs')} cgroup2 rw 0 0\n`);
    writeFileSync(join(group, 'cgroup.controllers'), 'cpu memory pids\n');
    for (const file of ['cgroup.subtree_control', 'cgroup.procs']) writeFileSync(join(group, file), '');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const read = (...path: string[]): string => readFileSync(join(group, ...path), 'utf8').trim();

  test('moves the host aside, and gives each cell a group with limits', async () => {
    const tree = new CgroupTree(files);
    expect(read(`custodian-${process.pid}-host`, 'cgroup.procs')).toBe(String(process.pid));
    expect(read('cgroup.subtree_control')).toBe('+memory +pids +cpu');
    const bounds = tree.boundsFor(7);
    const cell = `custodian-${process.pid}-7`;
    const { program, args } = bounds.around('/bin/sh', ['-c', 'echo "$$ $0"', 'an argument with $signs']);
    const [pid, argument] = spawnSync(program, args, { encoding: 'utf8' }).stdout.trim().split(/ (.*)/);
    expect(argument).toBe('an argument with $signs');
    expect(read(cell, 'cgroup.procs')).toBe(pid);
    await bounds.hold(1, { threads: 1, capBytes: 50 * MB, wallBytes: 100 * MB, tempBytes: 8 * MB });
    expect(read(cell, 'memory.max')).toBe(String(140 * MB));
    expect([read(cell, 'pids.max'), read(cell, 'memory.oom.group')]).toEqual(['96', '1']);
    expect(read(cell, 'cpu.max')).toMatch(/^\d+ 100000$/);
    expect(bounds.end()).toBe(false);
  });

  test('removes the groups that a host has left which is gone, and no others', () => {
    const dead = spawnSync(process.execPath, ['--eval', '']).pid;
    for (const name of [`custodian-${dead}-3`, `custodian-${dead}-host`, 'custodian-1-3', 'another-3'])
      mkdirSync(join(group, name));
    new CgroupTree(files);
    expect(readdirSync(group).filter((name) => name.includes('-'))).toEqual(
      ['another-3', 'custodian-1-3', `custodian-${process.pid}-host`].sort(),
    );
  });

  test('says that the kernel has ended a cell for its memory', () => {
    const bounds = new CgroupTree(files).boundsFor(8);
    writeFileSync(join(group, `custodian-${process.pid}-8`, 'memory.events'), 'low 0\noom 1\noom_kill 2\n');
    expect(bounds.end()).toBe(true);
  });

  test('asks for no CPU controller where there is none', () => {
    writeFileSync(join(group, 'cgroup.controllers'), 'memory pids\n');
    new CgroupTree(files).boundsFor(9);
    expect(read('cgroup.subtree_control')).toBe('+memory +pids');
    expect(existsSync(join(group, `custodian-${process.pid}-9`, 'cpu.max'))).toBe(false);
  });

  test('delegatedGroup() says why there is none', () => {
    writeFileSync(join(group, 'cgroup.controllers'), 'cpu\n');
    expect(() => delegatedGroup(files)).toThrow('has no memory controller (it has cpu)');
    writeFileSync(join(group, 'cgroup.controllers'), 'memory pids\n');
    rmSync(join(group, 'cgroup.subtree_control'));
    expect(() => delegatedGroup(files)).toThrow('is not delegated to this user');
    writeFileSync(files.mounts, '');
    expect(() => delegatedGroup(files)).toThrow('the v2 hierarchy is not mounted');
    writeFileSync(files.membership, '4:memory:/elsewhere\n');
    expect(() => delegatedGroup(files)).toThrow('this process is in no v2 group');
  });
});
