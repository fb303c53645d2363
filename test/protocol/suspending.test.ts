import { expect, test } from 'vitest';
import { importsSuspension, SUSPENDING_NAMES } from '../../packages/protocol/src/suspending.ts';

test.each([
  [`import { html, sendSuspend } from '@custodian/worker';`, true],
  [`import {\n  html,\n  sendSuspend as ask,\n} from "@custodian/worker";`, true],
  [`import * as custodian from '@custodian/worker'`, true],
  [`export { sendBack } from '@custodian/worker';`, true],
  [`const { sendSuspend } = await import('@custodian/worker');`, true],
  [`import { html, json } from '@custodian/worker';`, false],
  [`import { sendSuspend } from './own.ts';`, false],
  [`import { html } from '@custodian/worker';\n// sendSuspend is not used`, false],
])('importsSuspension(%j) is %s', (source, suspends) => {
  expect(importsSuspension(source)).toBe(suspends);
});

test('every suspending name is exported by the library', async () => {
  const library = (await import('@custodian/worker')) as Record<string, unknown>;
  for (const name of SUSPENDING_NAMES) expect(library).toHaveProperty(name);
});
