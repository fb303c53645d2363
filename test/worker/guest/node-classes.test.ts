import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const MODULE = new URL('../../../packages/worker/src/guest/node-classes.ts', import.meta.url).href;

/** What closing them comes to in a process where this code has run before. */
function closing(before: string): string {
  const code = `import { registerHooks } from 'node:module'; import { Socket } from 'node:net';
    registerHooks({ resolve: (name, context, next) => next(name, context) });
    const { closeNodeClasses } = await import(${JSON.stringify(MODULE)});
    const channel = new Socket({ fd: 0 });
    ${before}
    try { closeNodeClasses(channel); console.log('closed'); } catch (error) { console.log(error.code + ': ' + error.message); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
    encoding: 'utf8',
    input: '',
  });
  return stdout.trim() || stderr;
}

test('closeNodeClasses() closes those of this Node', () => {
  expect(closing('')).toBe('closed');
});

test.each([
  ['the class of modules', `Object.defineProperty(Function.prototype, 'bind', { get: () => bind, set() {} });`],
  ['the handle of its channel', `channel._handle = null;`],
  ['the prototype of native objects', `channel._handle = Object.create({});`],
])('closeNodeClasses() throws SERVLET_UNKNOWN_NODE where a Node is built otherwise: %s', (what, before) => {
  expect(closing(`const { bind } = Function.prototype; ${before}`)).toContain(
    `SERVLET_UNKNOWN_NODE: Cannot close ${what} to a guest`,
  );
});
