import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

const OUTPUT = JSON.stringify(new URL('../../packages/worker/src/output.ts', import.meta.url));

/** A thread that runs this. `printed`: what its supervisor gets of its output. */
function threadOf(code: string): { worker: Worker; printed: string[] } {
  const text = `
    import { EventEmitter, once } from 'node:events';
    import { Writable } from 'node:stream';
    import { MessagePort, parentPort } from 'node:worker_threads';
    const { replaceOutput } = await import(${OUTPUT});
    ${code}`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  const worker = new Worker(url, { stdout: true, stderr: true });
  const printed: string[] = [];
  for (const stream of [worker.stdout, worker.stderr])
    stream.on('data', (chunk: Buffer) => printed.push(chunk.toString()));
  return { worker, printed };
}

test('replaceOutput() loses nothing that was printed before, and its thread goes on when that has been taken', async () => {
  const { worker, printed } = threadOf(`
    const { stdout } = process;
    for (const text of ['one ', 'two ', 'three']) stdout.write(text);
    replaceOutput({}, 0);
    if (stdout.writableLength > 0) throw new Error('a write is left');
    parentPort.on('message', (value) => parentPort.postMessage(value));`);
  await once(worker.stdout, 'data');
  for (const value of [1, 2, 3]) {
    worker.postMessage(value);
    expect(await once(worker, 'message')).toEqual([value]);
  }
  await worker.terminate();
  expect(printed.join('')).toBe('one two three');
});

test('replaceOutput() leaves no way to the port of the supervisor by warnings of Node, which had one printed before', async () => {
  const { worker, printed } = threadOf(`
    process.emitWarning('early');
    await once(process, 'warning');
    replaceOutput({}, 0);
    const seen = new Set();
    for (const [prototype, name] of [[Writable.prototype, 'write'], [EventEmitter.prototype, 'once']]) {
      const method = prototype[name];
      prototype[name] = function (...given) {
        seen.add(Reflect.ownKeys(this).some((key) => this[key] instanceof MessagePort) ? 'port' : name);
        return Reflect.apply(method, this, given);
      };
    }
    process.emitWarning('late');
    await once(process, 'warning');
    setImmediate(() => parentPort.postMessage([...seen]));`);
  const [seen] = (await once(worker, 'message')) as [string[]];
  await worker.terminate();
  expect(seen).toContain('write');
  expect(seen).not.toContain('port');
  expect(printed.join('')).toMatch(/early/);
  expect(printed.join('')).not.toMatch(/late/);
});
