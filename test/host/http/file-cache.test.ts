import type { BigIntStats } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FileCache } from '../../../packages/host/src/http/file-cache.ts';

const found = (ms: number): BigIntStats =>
  ({ dev: 1n, ino: 1n, size: 1n, mtimeNs: BigInt(ms) * 1_000_000n, ctimeNs: BigInt(ms) * 1_000_000n }) as BigIntStats;
const NOW = 1_000_000;

describe('FileCache', () => {
  it('keep() lets those go that were asked for longest ago', () => {
    const cache = new FileCache(3 * 1600);
    for (const name of ['a', 'b', 'c']) cache.keep(name, Buffer.alloc(1000), found(0), NOW);
    cache.get('a');
    cache.keep('d', Buffer.alloc(1000), found(0), NOW);
    expect(['a', 'b', 'c', 'd'].filter((name) => cache.get(name) !== undefined)).toEqual(['a', 'c', 'd']);
    cache.drop('a');
    cache.keep('e', Buffer.alloc(1000), found(0), NOW);
    expect(cache.get('c')).toBeDefined();
  });

  it('keep() does not keep what is larger than all of it, nor what has just changed', () => {
    const cache = new FileCache(2000);
    cache.keep('large', Buffer.alloc(1900), found(0), NOW);
    cache.keep('fresh', Buffer.alloc(10), found(NOW - 1000), NOW);
    expect([cache.get('large'), cache.get('fresh')]).toEqual([undefined, undefined]);
    expect(new FileCache(0).get('x')).toBeUndefined();
  });
});
