import { beforeEach, describe, expect, it } from 'vitest';
import { CollectionPace } from '../../packages/worker/src/collection-pace.ts';

const MB = 1 << 20;
const CAP = 100 * MB;
const LIVE = 20 * MB;

describe('CollectionPace', () => {
  let pace: CollectionPace;
  let bytes: number;
  let turnCount = 0;
  let lookCount = 0;

  beforeEach(() => {
    pace = new CollectionPace();
    bytes = LIVE;
    pace.onCollected(bytes, true);
    pace.begin(bytes, CAP);
  });

  /** Turns of so much each until it must collect. Returns what it holds then. */
  function fill(turnMb: number, besideMb: number = 0): number {
    do {
      bytes += turnMb * MB;
      turnCount++;
    } while (!pace.onTurn() || !isDue(besideMb));
    return bytes;
  }

  function isDue(besideMb: number): boolean {
    lookCount++;
    return pace.onLook(bytes, CAP, besideMb * MB);
  }

  function collected(liveBytes: number, isWhole: boolean): void {
    bytes = liveBytes;
    pace.onCollected(bytes, isWhole);
  }

  it('CollectionPace collects before the turn that would bring it over its cap, by what turns have brought', () => {
    expect(fill(30)).toBe(80 * MB);
    collected(LIVE, true);
    for (let i = 0; i < 100; i++) {
      bytes = fill(1);
      collected(LIVE, true);
    }
    expect(fill(1)).toBe(CAP);
  });

  it('CollectionPace looks at few turns where there is room for many, and at each when there is room for two', () => {
    for (let i = 0; i < 10; i++) {
      fill(1);
      collected(LIVE, true);
    }
    turnCount = 0;
    lookCount = 0;
    expect(fill(1)).toBe(CAP);
    expect(turnCount).toBe(80);
    expect(lookCount).toBeLessThan(20);
    collected(LIVE, true);
    // After turns that brought nothing, it is looked before others have brought half of the room.
    for (let i = 0; i < 200; i++) if (pace.onTurn()) isDue(0);
    expect(fill(5)).toBeLessThanOrEqual(CAP);
  });

  it('CollectionPace collects sooner by what it is charged with beside what it holds', () => {
    expect(fill(1, 30)).toBe(70 * MB);
  });

  it('CollectionPace collects nothing where little of it is garbage, however much it is charged with', () => {
    collected(90 * MB, true);
    expect(fill(1)).toBe(116 * MB);
    collected(LIVE, true);
    expect(fill(1, 200)).toBe(46 * MB);
  });

  it('CollectionPace collects the young as long as that makes a fourth of the room that collecting all would', () => {
    expect(pace.isWholeNext).toBe(false);
    for (let i = 0; i < 3; i++) {
      const full = fill(1);
      collected(full - 20 * MB, false);
      fill(1);
      expect(pace.isWholeNext).toBe(true);
      collected(LIVE, true);
      expect(pace.isWholeNext).toBe(i > 0);
      if (i > 0) collected(LIVE, true);
    }
  });
});
