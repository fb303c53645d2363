import { expect, test } from 'vitest';
import { clientOf } from '../../packages/host/src/client-shares.ts';

test('clientOf() takes all addresses of a network of version 6 for one client', () => {
  expect(clientOf('192.0.2.1')).toBe('192.0.2.1');
  expect(clientOf('::ffff:192.0.2.1')).toBe('::ffff:192.0.2.1');
  expect(clientOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2');
  expect(clientOf('2001:db8::6')).toBe('2001:db8:0:0');
  expect(clientOf('2001:db8:0:7::1')).toBe('2001:db8:0:7');
  expect(clientOf('::1')).toBe('0:0:0:0');
});
