import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MockAgent } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCommand } from '../../packages/host/src/cli/arguments.ts';
import { optionsOf } from '../../packages/host/src/cli/serve-command.ts';
import { readConfig } from '../../packages/host/src/config.ts';
import { checkConfig } from '../../packages/host/src/option-tables.ts';
import type { ServeOptions } from '../../packages/host/src/options.ts';
import { dispatchers } from '../../packages/host/src/index.ts';
import { ConfigError } from '../../packages/host/src/config-error.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'custodian-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function written(name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

describe('checkConfig()', () => {
  test('finds nothing wrong with every option at once', () => {
    const config: Required<ServeOptions> = {
      servlets: [
        'hello.ts',
        new URL('file:///srv/many.ts'),
        {
          file: 'cart.ts',
          mount: 'shop/cart',
          regexp: /^\/shop/,
          unit: 'instance',
          cell: 'shop',
          profile: 'guest',
          weakerProfile: 'guest',
          limits: { heapMb: 20 },
          spareThreads: 0,
          isEager: false,
          canary: '/shop/cart/health',
          continuations: { transform: ['some-forms', '@scope/name'] },
        },
      ],
      port: 0,
      host: '::1',
      ports: [8080, 8081],
      ipsAndPorts: [['127.0.0.1', [80, 443]]],
      unit: 'servlet',
      profile: 'trusted',
      weakerProfile: 'guest',
      limits: { wallMs: 1000, heapMb: Infinity },
      continuations: { transform: [] },
      fetch: { origins: ['https://api.example.com'], addresses: ['10.0.0.0/8'] },
      fetchDispatcher: new MockAgent(),
      warmCells: 0,
      isDevelopment: false,
      log: false,
      logDestination: 2,
      store: 'redis://cache',
      keyFile: 'keys',
      stateDir: 'state',
      admin: { port: 0, host: '::1', token: 'long enough a token' },
      servletPath: '/main',
      servletRegexp: '',
      ssl: true,
      sslCert: 'cert.pem',
      sslKey: new URL('file:///srv/key.pem'),
      connectionClose: false,
      dispatchers: [dispatchers.servlets()],
      serverRootPath: 'root',
      extraFilesPaths: ['public', { root: 'static', at: 'static', etag: 'weak', cache: { maxAge: 60, public: true } }],
      servletsRoot: { root: 'servlets', unit: 'servlet' },
      passwords: [{ realm: 'a', path: '^/a', users: { ada: 'x' } }],
      refresh: true,
      quit: true,
      mimeTypesPath: 'mime.types',
      fileNotFoundResponder: () => ({ status: 404 }),
      servletLoadingResponder: () => null,
      servletResponder: () => 'failed',
      open: false,
      banner: false,
      commandLine: true,
      logFile: { write: () => true },
      logFormat: 'combined',
    };
    expect(checkConfig(config, '')).toEqual([]);
  });

  test.each<[unknown, string[]]>([
    [{ prot: 80 }, ['unknown key "prot" (did you mean "port"?)']],
    [{ limits: { heapMB: 1 } }, ['unknown key "limits.heapMB" (did you mean "limits.heapMb"?)']],
    [
      { servlets: [{ file: 'a.ts', mont: 'a' }] },
      ['unknown key "servlets[0].mont" (did you mean "servlets[0].mount"?)'],
    ],
    [
      { servlets: [{ file: 'a.ts', limits: { wallMS: 1, cpuMs: '5' } }] },
      [
        'unknown key "servlets[0].limits.wallMS" (did you mean "servlets[0].limits.wallMs"?)',
        'servlets[0].limits.cpuMs is "5", not a number from 0',
      ],
    ],
    [{ servlets: [{ mount: 'a' }] }, ['servlets[0].file is missing']],
    [{ servlets: 5 }, ['servlets is not a list']],
    [{ servlets: [5] }, ['servlets[0] is not an object']],
    [{ port: '80' }, ['port is "80", not a port from 0 to 65535']],
    [{ fetch: {} }, ['fetch.origins is missing']],
    [{ fetchDispatcher: 5 }, ['fetchDispatcher is 5, no Dispatcher of undici']],
    [{ ports: [80, 65_536] }, ['ports[1] is 65536, not a port from 0 to 65535']],
    [{ ipsAndPorts: [['::1', 80]] }, ['ipsAndPorts[0][1] is not a list']],
    [
      { unit: 'servlets' },
      ['unit is "servlets", not one of "connection", "instance", "servlet" (did you mean "servlet"?)'],
    ],
    [{ log: true }, ['log is true, not one of false, "events", "requests"']],
    [{ limits: { heapMb: -1 } }, ['limits.heapMb is -1, not a number from 0']],
    [{ isDevelopment: 'no' }, ['isDevelopment is "no", not true or false']],
    [{ warmCells: 1.5 }, ['warmCells is 1.5, not a whole number from 0']],
    [{ host: '' }, ['host is "", not a text']],
    [{ srvletsRoot: 'x' }, ['unknown key "srvletsRoot" (did you mean "servletsRoot"?)']],
    [
      { extraFilesPaths: [{ root: 'x', cache: { maxage: 1 } }] },
      ['unknown key "extraFilesPaths[0].cache.maxage" (did you mean "extraFilesPaths[0].cache.maxAge"?)'],
    ],
    [{ passwords: [{ realm: 'a', path: '^/', users: 'secret' }] }, ['passwords[0].users is not an object']],
    [
      { logFormat: 'apache' },
      [expect.stringContaining('logFormat is "apache", not one of "apache-default"') as string],
    ],
    [{ toString: 1 }, ['unknown key "toString"']],
    [[], ['it is not an object']],
    [null, ['it is not an object']],
  ])('%j', (config, problems) => {
    expect(checkConfig(config, '')).toEqual(problems);
  });
});

describe('readConfig()', () => {
  test('reads JSON, its paths counted from its folder', async () => {
    const file = await written(
      'a.json',
      JSON.stringify({
        servlets: ['x/a.ts', { file: '/b.ts' }],
        stateDir: 's',
        logDestination: 'log',
        logFile: 'access',
        sslCert: 'c.pem',
        sslKey: '/k.pem',
        serverRootPath: '.',
        servletsRoot: { root: 'more' },
        extraFilesPaths: ['public', { root: 'static', mimeTypesPath: 'types' }],
        passwords: 'passwords.json',
      }),
    );
    expect(await readConfig(file)).toEqual({
      servlets: [join(folder, 'x/a.ts'), { file: '/b.ts' }],
      stateDir: join(folder, 's'),
      logDestination: join(folder, 'log'),
      logFile: join(folder, 'access'),
      sslCert: join(folder, 'c.pem'),
      sslKey: '/k.pem',
      serverRootPath: folder,
      servletsRoot: { root: join(folder, 'more') },
      extraFilesPaths: [join(folder, 'public'), { root: join(folder, 'static'), mimeTypesPath: join(folder, 'types') }],
      passwords: join(folder, 'passwords.json'),
    });
  });

  test('reads the default export of a TypeScript module, with URLs left as they are', async () => {
    const url = pathToFileURL(join(folder, 'servlets'));
    const file = await written(
      'b.ts',
      `const port: number = 81; export default { port, servlets: new URL('servlets', import.meta.url) };`,
    );
    expect(await readConfig(file)).toEqual({ port: 81, servlets: url });
  });

  test.each([
    ['none.json', null, 'there is no such file'],
    ['broken.json', '{', 'Cannot read config'],
    ['empty.ts', 'export const port = 1;', 'it has no default export'],
    ['throws.ts', `throw new Error('not today');`, 'not today'],
    ['odd.yaml', 'port: 1', 'it is no .json, .ts, .mts, .js, .mjs or .cjs'],
    ['unknown.json', '{"prot": 1, "host": 5}', '(did you mean "port"?)\n'],
  ])('refuses %s', async (name, text, part) => {
    const file = text === null ? join(folder, name) : await written(name, text);
    const error: unknown = await readConfig(file).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code: 'CUSTODIAN_CONFIG', message: expect.stringContaining(part) as string });
    expect((error as Error).message).toContain(file);
  });
});

describe('optionsOf()', () => {
  const optionsFor = (argv: string[], directory?: string): Promise<ServeOptions> => {
    const command = parseCommand(['serve', ...argv]);
    if (command.name !== 'serve') throw new Error(`${command.name} was parsed`);
    return optionsOf(command, directory);
  };

  test('finds the config of the directory when nothing is named to serve, and only then', async () => {
    const here = await mkdtemp(join(folder, 'here-'));
    await expect(optionsFor([], here)).rejects.toThrow('name a servlet file, a directory of them, or a --config');
    await writeFile(join(here, 'custodian.config.ts'), `export default { servlets: 'x', port: 81 as number };`);
    expect(await optionsFor(['--log', 'off'], here)).toMatchObject({ servlets: join(here, 'x'), port: 81, log: false });
    expect((await optionsFor([folder], here)).port).toBe(8080);
    expect((await optionsFor(['--files', folder], here)).port).toBe(8080);
    await writeFile(join(here, 'custodian.config.json'), '{}');
    await expect(optionsFor([], here)).rejects.toThrow(
      'both "custodian.config.ts" and "custodian.config.json" are here',
    );
  });

  test('listens on 8443 for HTTPS', async () => {
    expect(await optionsFor([folder, '--ssl'])).toMatchObject({ port: 8443, ssl: true });
    expect((await optionsFor([folder, '--ssl', '--port', '1'])).port).toBe(1);
  });

  test('writes requests in a format beside events in JSON, to the log file if there is one', async () => {
    expect(await optionsFor([folder, '--log-format', 'combined'])).toMatchObject({
      log: 'events',
      logDestination: 2,
      logFile: 2,
      logFormat: 'combined',
    });
    expect(await optionsFor([folder, '--log-format', 'combined', '--log-file', 'a.log', '--log', 'off'])).toMatchObject(
      {
        log: false,
        logFile: 'a.log',
      },
    );
    expect(await optionsFor([folder, '--log-format', 'json', '--log-file', 'a.log'])).toMatchObject({
      log: 'requests',
      logDestination: 'a.log',
    });
  });

  test('listens on 8080 and logs requests to the standard error unless told otherwise', async () => {
    expect(await optionsFor([folder])).toEqual({
      servlets: folder,
      port: 8080,
      log: 'requests',
      logDestination: 2,
      admin: true,
    });
  });

  test('an option of the file that is undefined is as good as none', async () => {
    const file = await written(
      'undefined.ts',
      'export default { servlets: "x", log: undefined, logDestination: undefined, admin: undefined, limits: undefined };',
    );
    expect(await optionsFor(['--config', file])).toMatchObject({ log: 'requests', logDestination: 2, admin: true });
  });

  test('puts the command line before the file, and lays limits over each other', async () => {
    const file = await written(
      'c.json',
      JSON.stringify({ servlets: 'other', port: 1, unit: 'servlet', log: 'events', limits: { heapMb: 1, cpuMs: 2 } }),
    );
    expect(await optionsFor([folder, '--config', file, '--port', '5', '--limit', 'heapMb=9'])).toEqual({
      servlets: folder,
      port: 5,
      unit: 'servlet',
      log: 'events',
      logDestination: 2,
      admin: true,
      limits: { heapMb: 9, cpuMs: 2 },
    });
  });

  test('keeps the listeners of the file, unless the command line says where to listen', async () => {
    const file = await written('d.json', JSON.stringify({ servlets: 'x', ports: [1, 2], ipsAndPorts: [['::1', [3]]] }));
    expect(await optionsFor(['--config', file])).toMatchObject({ ports: [1, 2], ipsAndPorts: [['::1', [3]]] });
    expect(await optionsFor(['--config', file])).not.toHaveProperty('port');
    const there = await optionsFor(['--config', file, '--port', '5']);
    expect(there.port).toBe(5);
    expect(there).not.toHaveProperty('ports');
    expect(there).not.toHaveProperty('ipsAndPorts');
  });

  test('takes several paths as a list', async () => {
    const a = await written('a.ts', '');
    expect(await optionsFor([a, folder])).toMatchObject({ servlets: [a, folder] });
  });

  test('refuses a config without servlets', async () => {
    const file = await written('e.json', '{"port": 1}');
    await expect(optionsFor(['--config', file])).rejects.toThrow('names a servlet');
  });
});
