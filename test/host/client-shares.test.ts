import { expect, test } from 'vitest';
import { ClientShares, clientOf, type Held } from '../../packages/host/src/client-shares.ts';

test('clientOf() takes all addresses of a network of version 6 for one client', () => {
  expect(clientOf('192.0.2.1')).toBe('192.0.2.1');
  expect(clientOf('::ffff:192.0.2.1')).toBe('::ffff:192.0.2.1');
  expect(clientOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2');
  expect(clientOf('2001:db8::6')).toBe('2001:db8:0:0');
  expect(clientOf('2001:db8:0:7::1')).toBe('2001:db8:0:7');
  expect(clientOf('::1')).toBe('0:0:0:0');
});

interface Fake extends Held {
  isClosed: boolean;
}
function held(clientIp: string, now: 'idle' | 'in its body' | 'answered' = 'idle'): Fake {
  const fake: Fake = {
    clientIp,
    current: now === 'idle' ? null : {},
    isWaitingForClient: now !== 'answered',
    isClosed: false,
    close: () => {
      fake.isClosed = true;
    },
  };
  return fake;
}
/** Of 600 that there may be. */
function sharesOf(...connections: Held[]): ClientShares {
  const shares = new ClientShares(600);
  for (const connection of connections) shares.add(connection);
  return shares;
}
const many = (count: number, ...given: Parameters<typeof held>): Fake[] =>
  Array.from({ length: count }, () => held(...given));

test('who has more than half makes room for another, and not for itself', () => {
  const greedy = many(301, '192.0.2.1');
  const shares = sharesOf(...greedy);
  expect(shares.makeRoomFor('192.0.2.1')).toBe(false);
  expect(shares.makeRoomFor('192.0.2.2')).toBe(true);
  expect(greedy.filter(({ isClosed }) => isClosed)).toEqual([greedy[0]]);
  // It has half of them now.
  expect(shares.makeRoomFor('192.0.2.2')).toBe(false);
});

test('a connection between requests goes before one that sends a body', () => {
  const [body, idle] = [held('192.0.2.1', 'in its body'), held('192.0.2.1')];
  const shares = sharesOf(
    body,
    ...many(300, '192.0.2.1', 'answered').slice(0, 50),
    idle,
    ...many(260, '192.0.2.1', 'answered'),
  );
  expect(shares.makeRoomFor('192.0.2.2')).toBe(true);
  expect([body.isClosed, idle.isClosed]).toEqual([false, true]);
});

test('as many as are looked at, which can not make room, protect none behind them', () => {
  const idle = many(210, '192.0.2.1');
  const shares = sharesOf(...many(250, '192.0.2.1', 'answered'), ...idle);
  const made = Array.from({ length: 4 }, () => shares.makeRoomFor('192.0.2.2'));
  expect(made).toEqual([false, false, true, true]);
  expect(idle.filter(({ isClosed }) => isClosed)).toHaveLength(2);
});
