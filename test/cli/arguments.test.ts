import { describe, expect, test } from 'vitest';
import { parseCommand, UsageError } from '../../packages/host/src/cli/arguments.ts';

describe('parseCommand()', () => {
  test('reads a command line with everything on it', () => {
    const line =
      'serve examples/ more.ts -p 3000 --host ::1 --open --config c.json --unit servlet --profile guest --limit heapMb=100 ' +
      '--limit wallMs=2.5e3 --warm-cells 2 --log events --log-file log.txt --production --store sqlite:kept --key-file keys ' +
      '--state-dir /tmp/state ' +
      '--ssl --cert c.pem --key k.pem --connection-close --quit --files a --files b --servlets-root s --root r ' +
      '--passwords p.json --log-format combined';
    expect(parseCommand(line.split(' '))).toEqual({
      name: 'serve',
      paths: ['examples/', 'more.ts'],
      config: 'c.json',
      isOpening: true,
      options: {
        port: 3000,
        host: '::1',
        unit: 'servlet',
        profile: 'guest',
        limits: { heapMb: 100, wallMs: 2500 },
        warmCells: 2,
        log: 'events',
        logDestination: 'log.txt',
        isDevelopment: false,
        store: 'sqlite:kept',
        keyFile: 'keys',
        stateDir: '/tmp/state',
        ssl: true,
        sslCert: 'c.pem',
        sslKey: 'k.pem',
        connectionClose: true,
        quit: true,
        extraFilesPaths: ['a', 'b'],
        servletsRoot: 's',
        serverRootPath: 'r',
        passwords: 'p.json',
        logFormat: 'combined',
      },
    });
  });

  test('leaves out what was not given, so that the config file can say it', () => {
    expect(parseCommand(['serve', 'examples/'])).toEqual({
      name: 'serve',
      paths: ['examples/'],
      config: null,
      isOpening: false,
      options: {},
    });
  });

  test('takes a --config in place of a path', () => {
    expect(parseCommand(['serve', '--config=c.ts'])).toMatchObject({ name: 'serve', paths: [], config: 'c.ts' });
  });

  test('takes what follows "--" for paths', () => {
    expect(parseCommand(['serve', '--', '--odd.ts'])).toMatchObject({ paths: ['--odd.ts'] });
  });

  test('turns the log off by a word', () => {
    expect(parseCommand(['serve', 'x', '--log', 'off'])).toMatchObject({ options: { log: false } });
  });

  test.each([
    [['--help'], { name: 'help', about: 'custodian' }],
    [['-h'], { name: 'help', about: 'custodian' }],
    [['help', 'serve'], { name: 'help', about: 'serve' }],
    [['serve', '--help'], { name: 'help', about: 'serve' }],
    [['doctor', '-h'], { name: 'help', about: 'doctor' }],
    [['--version'], { name: 'version' }],
    [['-v'], { name: 'version' }],
    [['doctor'], { name: 'doctor', isJson: false }],
    [['doctor', '--json'], { name: 'doctor', isJson: true }],
  ])('%j', (argv, command) => {
    expect(parseCommand(argv)).toEqual(command);
  });

  test.each([
    [[], 'no command given'],
    [['sreve', 'x'], 'Unknown command "sreve" (did you mean "serve"?)'],
    [['examples/'], 'a servlet is served by "custodian serve"'],
    [['--verison'], 'Unknown option "--verison" of custodian (did you mean "--version"?)'],
    [['serve', 'x', '--prot', '1'], 'Unknown option "--prot" of custodian serve (did you mean "--port"?)'],
    [['serve', 'x', '-z'], 'Unknown option "-z" of custodian serve'],
    [['serve', 'x', '--constructor'], 'Unknown option "--constructor"'],
    [['serve', 'x', '--port'], '"--port": it needs a value'],
    [['serve', 'x', '--port='], '"--port": it needs a value'],
    [['serve', 'x', '--port', '-1'], '--port "-1": it is a whole number from 0 to 65535'],
    [['serve', 'x', '--port', '65536'], 'from 0 to 65535'],
    [['serve', 'x', '--port', '80.5'], 'from 0 to 65535'],
    [['serve', 'x', '--port', '0x50'], 'from 0 to 65535'],
    [['serve', 'x', '--open=yes'], '--open takes no value'],
    [['serve', 'x', '--unit', 'servlets'], '(did you mean "servlet"?)'],
    [['serve', 'x', '--profile', 'root'], 'it is one of trusted, guest'],
    [['serve', 'x', '--log', 'all'], 'it is one of requests, events, off'],
    [['serve', 'x', '--limit', 'heapMB=1'], 'Unknown limit "heapMB" in --limit heapMB=1 (did you mean "heapMb"?)'],
    [['serve', 'x', '--limit', 'heapMb'], 'it is written heapMb=NUMBER'],
    [['serve', 'x', '--limit', 'heapMb='], 'it is written heapMb=NUMBER'],
    [['serve', 'x', '--limit', 'heapMb=lots'], 'it is written heapMb=NUMBER'],
    [['serve', 'x', '--limit', 'heapMb=-1'], 'it is written heapMb=NUMBER'],
    [['serve', 'x', '--limit', '__proto__=1'], 'Unknown limit'],
    [['serve', 'x', '--production', '--development'], 'together'],
    [['serve', 'x', '--log-format', 'apache'], 'it is one of apache-default, '],
    [['doctor', 'me'], 'takes no arguments'],
  ])('%j is refused in one line', (argv, part) => {
    const refusal = refusalOf(argv);
    expect(refusal).toBeInstanceOf(UsageError);
    expect(refusal.message).toContain(part);
    expect(refusal.message).not.toContain('\n');
  });
});

function refusalOf(argv: string[]): Error {
  try {
    parseCommand(argv);
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was not refused');
}
