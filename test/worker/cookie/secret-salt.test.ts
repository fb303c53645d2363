import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { secretSalt } from '../../../packages/worker/src/cookie/secret-salt.ts';

const directory = mkdtempSync(join(tmpdir(), 'custodian-salt-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('secretSalt()', () => {
  it('secretSalt() makes 128 bytes once, for the user of the process alone, and leaves nothing else', () => {
    const file = join(directory, 'one');
    const salt = secretSalt(file);
    expect([salt.length, statSync(file).mode & 0o777]).toEqual([128, 0o600]);
    expect(secretSalt(pathToFileURL(file))).toEqual(salt);
    expect(secretSalt(join(directory, 'two'))).not.toEqual(salt);
    expect(readdirSync(directory).sort()).toEqual(['one', 'two']);
  });

  it('secretSalt() is the same for threads that ask at once', async () => {
    const code = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { secretSalt } = await import(workerData.module);
      parentPort.postMessage(Buffer.from(secretSalt(workerData.file)).toString('hex'));`;
    const workerData = {
      module: new URL('../../../packages/worker/src/cookie/secret-salt.ts', import.meta.url).href,
      file: join(directory, 'shared'),
    };
    const salts = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise((resolve, reject) => {
            const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData });
            worker.once('message', resolve).once('error', reject);
          }),
      ),
    );
    expect(new Set(salts)).toEqual(new Set([Buffer.from(secretSalt(workerData.file)).toString('hex')]));
  });

  it('secretSalt() says when a secret can be neither read nor made', () => {
    const short = join(directory, 'short');
    writeFileSync(short, 'x');
    expect(() => secretSalt(short)).toThrow(
      expect.objectContaining({
        code: 'SERVLET_SECRET_SALT',
        message: `Cannot have a secret in "${short}": it has less than 16 bytes`,
      }),
    );
    expect(() => secretSalt(join(directory, 'no', 'where'))).toThrow(
      expect.objectContaining({ code: 'SERVLET_SECRET_SALT' }),
    );
    chmodSync(short, 0o600);
  });
});
