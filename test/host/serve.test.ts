import { createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ConfigError, ListenError, PortInUseError, serve } from '../../packages/host/src/index.ts';
import { descriptorsOf } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { StartedHost } from '../support/started-host.ts';

const HELLO = `export default () => 'hello';`;
const LINES = `
  export default (request) => ({ body: (async function* () {
    for (let i = 0; i < 5; i++) { yield 'line\\n'; await new Promise((resolve) => setTimeout(resolve, 150)); }
  })() });`;

describe('serve()', () => {
  it('serve() on a port in use fails with the port in its error, and leaves nothing', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    using directory = new ServletDirectory({ hello: HELLO });
    const before = descriptorsOf(process.pid).length;
    const error: unknown = await serve({ servlets: directory.path, ports: [0, port] }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(PortInUseError);
    expect(error).toMatchObject({
      code: 'CUSTODIAN_PORT_IN_USE',
      port,
      message: expect.stringContaining(String(port)),
    });
    await sleep(50);
    expect(descriptorsOf(process.pid).length).toBeLessThanOrEqual(before);
    taken.close();
  });

  it.each([
    ['999.1.1.1', 0, 'there is no such address or name'],
    ['no-such-host.invalid', 0, 'there is no such address or name'],
    ['192.0.2.1', 0, 'this machine does not have that address'],
  ])('serve() throws a ListenError where it can not listen: %s', async (address, port, reason) => {
    using directory = new ServletDirectory({ hello: HELLO });
    const error: unknown = await serve({ servlets: directory.path, host: address, port }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ListenError);
    expect(error).toMatchObject({
      code: 'CUSTODIAN_LISTEN',
      host: address,
      port,
      message: `Cannot listen on ${address} port ${port}: ${reason}`,
    });
  });

  it('serve() stops and starts again on the same port at once, 20 times', async () => {
    using directory = new ServletDirectory({ hello: HELLO });
    let port = 0;
    for (let count = 0; count < 20; count++) {
      await using host = await serve({ servlets: directory.path, port, warmCells: count < 2 ? 1 : 0 });
      port = host.port;
      // The page of an unknown servlet needs no cell, so that this is about the port.
      expect((await fetch(`${host.url}/nobody`)).status).toBe(404);
      await host.close();
      expect(host.custodian.describe()).toEqual([]);
    }
  });

  it('serve() listens on several ports of several hosts', async () => {
    using directory = new ServletDirectory({ hello: HELLO });
    await using host = await serve({
      servlets: directory.path,
      port: 0,
      ports: [0, 0],
      ipsAndPorts: [
        ['127.0.0.2', [0]],
        ['127.0.0.3', [0, 0]],
      ],
    });
    expect(host.addresses.map((address) => address.host).sort()).toEqual([
      '127.0.0.1',
      '127.0.0.1',
      '127.0.0.1',
      '127.0.0.2',
      '127.0.0.3',
      '127.0.0.3',
    ]);
    expect(new Set(host.addresses.map(({ url }) => url)).size).toBe(6);
    for (const { url } of host.addresses) expect(await (await fetch(`${url}/hello`)).text()).toBe('hello');
  });

  it.each([
    ['a port that is none', { port: 65536 }],
    ['a fractional port', { port: 1.5 }],
    ['no such directory', { servlets: '/nonexistent/servlets' }],
  ])('serve() refuses %s', async (_name, options) => {
    using directory = new ServletDirectory({ hello: HELLO });
    await expect(serve({ servlets: directory.path, ...options })).rejects.toBeInstanceOf(ConfigError);
  });

  it('serve() with await using closes at the end of the block', async () => {
    using directory = new ServletDirectory({ hello: HELLO });
    let url = '';
    {
      await using host = await serve({ servlets: directory.path });
      url = host.url;
      expect((await fetch(`${url}/hello`)).status).toBe(200);
    }
    await expect(fetch(`${url}/hello`)).rejects.toThrow('fetch failed');
  });

  it('serve() loads an eager servlet before anybody asks, and says why another one can not be', async () => {
    await using started = await StartedHost.start(
      { good: HELLO, bad: `throw new Error('no luck');` },
      {},
      { good: { isEager: true }, bad: { isEager: true } },
    );
    await started.host.ready();
    expect(started.host.servlets.map(({ name, state, error }) => [name, state, error])).toEqual([
      ['good', 'ready', null],
      ['bad', 'benched', expect.stringContaining('no luck')],
    ]);
  });
});

describe('close()', () => {
  it('close({ graceMs }) lets running responses finish, and takes no new connection', async () => {
    await using started = await StartedHost.start({ lines: LINES, hello: HELLO });
    await started.warm('/hello');
    const [streaming, idle] = [await started.connect(), await started.connect()];
    await idle.get('/hello');
    streaming.write('GET /lines HTTP/1.1\r\nHost: a\r\n\r\n');
    const answered = streaming.response();
    await sleep(300);
    const closing = started.close({ graceMs: 5000 });
    await idle.closed();
    await expect(started.connect()).rejects.toThrow('ECONNREFUSED');
    expect((await answered).body.toString()).toBe('line\n'.repeat(5));
    const begun = performance.now();
    await closing;
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  it('close() called again kills what still runs', async () => {
    await using started = await StartedHost.start({ never: `export default () => new Promise(() => {});` });
    const client = await started.connect();
    client.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    await sleep(300);
    const begun = performance.now();
    const closing = started.close({ graceMs: 60_000 });
    await sleep(200);
    expect(client.isEnded).toBe(false);
    await started.close();
    await closing;
    await client.closed();
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  it('close({ graceMs }) ends when the grace does', async () => {
    await using started = await StartedHost.start({ never: `export default () => new Promise(() => {});` });
    const client = await started.connect();
    client.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    await sleep(300);
    const begun = performance.now();
    await started.close({ graceMs: 400 });
    await client.closed();
    expect(performance.now() - begun).toBeGreaterThan(390);
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  it('close() ends though a client that was turned away holds on', async () => {
    await using started = await StartedHost.start({ hello: HELLO }, { limits: { connectionsMaxCount: 1 } });
    const [, second] = [await started.connect(), await started.connect()];
    expect((await second.response()).status).toBe(503);
    const begun = performance.now();
    await started.close();
    expect(performance.now() - begun).toBeLessThan(1500);
  });

  it('close() leaves no descriptor', async () => {
    const before = descriptorsOf(process.pid).length;
    {
      await using started = await StartedHost.start({ hello: HELLO });
      await started.warm('/hello');
      await started.connect();
      await started.close();
    }
    await sleep(100);
    // The pool of fetch() may keep one connection to each host a moment longer.
    expect(descriptorsOf(process.pid).length - before).toBeLessThanOrEqual(1);
  });
});

describe('killCell()', () => {
  it('killCell() ends a cell, and its servlet goes on in another', async () => {
    await using started = await StartedHost.start({
      pid: `export default () => String(process.pid);`,
    });
    const pid = Number(await (await fetch(`${started.url}/pid`)).text());
    await started.host.killCell(pid);
    expect(Number(await (await fetch(`${started.url}/pid`)).text())).not.toBe(pid);
    await expect(started.host.killCell(pid)).rejects.toThrow(RangeError);
  });
});
