import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

// The public surface, so that nobody widens or narrows it without seeing it. Types are held by those who import them.
const SURFACE: Record<string, string[]> = {
  '@custodian/host': [
    'ConfigError',
    'Custodian',
    'CustodianShutError',
    'DEFAULT_LIMITS',
    'LIMITS',
    'PortInUseError',
    'serve',
  ],
  '@custodian/worker': [
    'BindingError',
    'HtmlContextError',
    'HtmlUrlError',
    'HtmlValueError',
    'NoContinuationError',
    'NoInstanceError',
    'OneShotError',
    'UnsafeContextError',
    'UnserializableError',
    'XexprError',
    'adjustTimeout',
    'attributes',
    'clearContinuations',
    'continuationUrl',
    'createLruManager',
    'createNoneManager',
    'createThresholdLruManager',
    'createTimeoutManager',
    'currentRequest',
    'html',
    'isSafeUrl',
    'json',
    'native',
    'onExpired',
    'raw',
    'redirectGet',
    'redirectGetForget',
    'registerSerializable',
    'scriptValue',
    'sendBack',
    'sendFinish',
    'sendForward',
    'sendSuspend',
    'sendSuspendDispatch',
    'sendSuspendUrl',
    'sendSuspendUrlDispatch',
    'setAnyToResponse',
    'toHtml',
    'toXexpr',
    'webCell',
    'webParameter',
    'withErrorsToBrowser',
  ],
};

test.each(Object.entries(SURFACE))('%s exports what it promises', async (entry, names) => {
  const module = (await import(entry)) as Record<string, unknown>;
  expect(Object.keys(module).sort()).toEqual(names);
});

test.each(['host', 'worker', 'protocol'])('packages/%s has one entry', async (name) => {
  const text = await readFile(new URL(`../../packages/${name}/package.json`, import.meta.url), 'utf8');
  expect((JSON.parse(text) as { exports: unknown }).exports).toEqual({ '.': './src/index.ts' });
});
