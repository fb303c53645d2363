import { spawnSync } from 'node:child_process';

/** Runs a script in a process that treats rejections as a servlet's thread does; `start` is the module's. */
export function inProcess(script: string, emitted: string): { stdout: string; stderr: string } {
  const runtime = JSON.stringify(new URL('../../../packages/worker/src/continuation/runtime.ts', import.meta.url).href);
  const whole = `const { prompt, resume, settleUnhandled } = await import(${runtime}); const { start } = await import(${JSON.stringify(emitted)});
    process.on('unhandledRejection', (reason) => { if (!settleUnhandled(reason)) throw reason; });
    ${script}`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', whole];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}
