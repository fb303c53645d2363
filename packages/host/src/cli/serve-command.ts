import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig } from '../config.ts';
import { missingWalls } from '../doctor.ts';
import { strippedNodeOptions } from '../doctor/node-options.ts';
import type { Host, ServeOptions, ServletStatus } from '../options.ts';
import { ConfigError } from '../config-error.ts';
import { type Command, type ServeFlags, UsageError } from './arguments.ts';
import { openBrowser } from './browser.ts';
import { plainText } from '../plain-text.ts';
import { stated } from '../stated.ts';
import { createPaint, type Paint } from './paint.ts';

const DEFAULT_PORT = 8080;
const DEFAULT_SECURE_PORT = 8443;
const GRACE_MS = 5000;
// npm passes Ctrl-C on to a program that has had it from the terminal already; so does our own starter. Those are
// milliseconds apart, and a person's second Ctrl-C is not.
const SAME_SIGNAL_MS = 100;
const PARENT_POLL_MS = 200;
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

type ServeCommand = Extract<Command, { name: 'serve' }>;

/** Serves until a signal; then resolves to the exit code. */
export async function runServe(command: ServeCommand): Promise<number> {
  const options = await optionsOf(command);
  const isOpening = command.isOpening || (options.open ?? options.commandLine === false);
  const signals = listenForSignals();
  const paint = createPaint(process.stdout, process.env);

  // Loaded here and not above, so that --help and doctor do not wait for it.
  const { serve } = await import('../index.ts');
  const host = await serve({ ...options, open: false });
  await Promise.race([host.ready(), signals.first, host.closed]);
  if (!signals.isRaised()) {
    await announce(host, paint);
    if (isOpening) void open(host);
  }

  const signal = await Promise.race([signals.first, host.closed.then(() => null)]);
  // A visitor asked for /quit.
  if (signal === null) return 0;
  say(`${signal}: closing, with up to ${GRACE_MS / 1000} s for running requests`);
  const closed = host.close({ graceMs: GRACE_MS });
  const second = await Promise.race([closed.then(() => null), signals.second]);
  if (second === null) return 0;
  // The second call kills; should even that not end, the process does, and its cells with it.
  await Promise.race([host.close(), new Promise((resolve) => setTimeout(resolve, 500))]);
  return 128 + SIGNAL_NUMBERS[second];
}

/** The config file's options with those of the command line laid over. `directory`: the current one. */
export async function optionsOf(command: ServeCommand, directory: string = process.cwd()): Promise<ServeOptions> {
  const config = command.config ?? (namesNothing(command) ? await findConfig(directory) : null);
  const file = config === null ? {} : await readConfig(config);
  const flags = command.options;
  const options: ServeOptions = { log: 'requests', logDestination: 2, admin: true, ...stated(file), ...flags };
  if (file.limits !== undefined || flags.limits !== undefined) options.limits = { ...file.limits, ...flags.limits };
  // A port on the command line is the whole answer to where to listen, whatever the file lists.
  if (flags.port !== undefined || flags.host !== undefined) delete options.ipsAndPorts;
  if (flags.port !== undefined) delete options.ports;
  if (options.port === undefined && options.ports === undefined && options.ipsAndPorts === undefined) {
    const isSecure = options.ssl === true || options.sslCert !== undefined;
    options.port = isSecure ? DEFAULT_SECURE_PORT : DEFAULT_PORT;
  }
  if (command.paths.length > 0) {
    options.servlets = command.paths.length === 1 ? command.paths[0]! : command.paths;
  }
  if (flags.logFormat !== undefined) Object.assign(options, logInFormat(flags.logFormat, flags, file));
  if (WHAT_IS_SERVED.every((name) => options[name] === undefined)) {
    throw new ConfigError(`Cannot serve: neither the command line nor config "${config}" names a servlet`);
  }
  return options;
}

const WHAT_IS_SERVED = [
  'servlets',
  'servletsRoot',
  'extraFilesPaths',
  'serverRootPath',
  'dispatchers',
] as const satisfies readonly (keyof ServeOptions)[];

function namesNothing({ paths, options }: ServeCommand): boolean {
  return paths.length === 0 && WHAT_IS_SERVED.every((name) => (options as ServeOptions)[name] === undefined);
}

const CONFIG_NAMES = ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json'].map((ending) => `custodian.config${ending}`);

/** The config file of a directory. @throws UsageError when there is none, ConfigError when there are several */
async function findConfig(directory: string): Promise<string> {
  const there = new Set(await readdir(directory));
  const [found, other] = CONFIG_NAMES.filter((name) => there.has(name));
  if (found === undefined)
    throw new UsageError(
      'Cannot serve: name a servlet file, a directory of them, or a --config (there is no custodian.config.ts or .json here)',
    );
  if (other !== undefined)
    throw new ConfigError(`Cannot choose a config: both "${found}" and "${other}" are here; name one with --config`);
  return join(directory, found);
}

/** Requests are written in another format than events: to the log file if one is named, the host's own log to the standard error. */
function logInFormat(
  format: ServeOptions['logFormat'],
  flags: ServeFlags,
  file: Partial<ServeOptions>,
): Partial<ServeOptions> {
  if (format === 'json' && file.logFile === undefined) return { logFormat: format };
  return {
    log: flags.log ?? (file.log === false ? false : 'events'),
    logDestination: file.logDestination ?? 2,
    logFile: flags.logDestination ?? file.logFile ?? 2,
  };
}

async function announce(host: Host, paint: Paint): Promise<void> {
  for (const line of servletLines(host.servlets, paint)) say(line);
  for (const { flag, why } of strippedNodeOptions(process.env)) {
    say(paint('yellow', `NODE_OPTIONS: cells do not get ${flag} (${why})`));
  }
  for (const { name, stops } of await missingWalls()) {
    say(paint('yellow', `This machine has no ${name}, which would stop ${stops} ("custodian doctor" says more)`));
  }
  if (host.adminUrl !== null) say(`Operator's page at ${host.adminUrl}`);
  for (const address of host.addresses.slice(1)) say(`Also at ${address.url}`);
  // Scripts wait for the beginning of this line, which has no colours for that reason; the rest is for people.
  say(`Custodian ready at ${host.url} (Ctrl-C stops it)`);
}

/** One line per servlet: its URL and its caps, or why it is benched. */
export function servletLines(servlets: readonly ServletStatus[], paint: Paint): string[] {
  const nameWidth = Math.max(0, ...servlets.map((servlet) => servlet.name.length));
  const urlWidth = Math.max(0, ...servlets.map((servlet) => servlet.url.length));
  return servlets.map((servlet) => {
    const name = paint('bold', plainText(servlet.name).padEnd(nameWidth));
    const url = paint('cyan', plainText(servlet.url).padEnd(urlWidth));
    if (servlet.state === 'benched') {
      const reason = (servlet.error ?? 'it cannot be loaded').split('\n')[0] as string;
      return `${name}  ${url}  ${paint('red', `benched: ${plainText(reason)}`)}`;
    }
    const { heapMb, cpuMs, wallMs } = servlet.limits;
    const caps = [
      `heap ${heapMb} MB`,
      `cpu ${duration(cpuMs)}`,
      `wall ${duration(wallMs)}`,
      `unit ${servlet.unit}`,
      `profile ${servlet.profile}`,
    ];
    return `${name}  ${url}  ${paint('dim', caps.join(', '))}`;
  });
}

function duration(ms: number): string {
  return ms >= 1000 ? `${Number((ms / 1000).toFixed(1))} s` : `${ms} ms`;
}

async function open(host: Host): Promise<void> {
  const [only, ...others] = host.servlets;
  const url = only !== undefined && others.length === 0 ? only.url : host.url;
  const problem = await openBrowser(url);
  if (problem !== null) say(`Cannot open a browser (${problem}); the address is ${url}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

type Signal = keyof typeof SIGNAL_NUMBERS;

interface Signals {
  first: Promise<Signal>;
  second: Promise<Signal>;
  isRaised(): boolean;
}

function listenForSignals(): Signals {
  const first = Promise.withResolvers<Signal>();
  const second = Promise.withResolvers<Signal>();
  let raised: { signal: Signal; at: number } | null = null;
  const raise = (signal: Signal): void => {
    const at = performance.now();
    if (raised === null) {
      raised = { signal, at };
      first.resolve(signal);
    } else if (signal !== raised.signal || at - raised.at > SAME_SIGNAL_MS) {
      second.resolve(signal);
    }
  };
  for (const signal of Object.keys(SIGNAL_NUMBERS) as Signal[]) process.on(signal, raise);
  if (hasStarter(process.env)) onParentGone(() => raise('SIGTERM'));
  return { first: first.promise, second: second.promise, isRaised: () => raised !== null };
}

// npm hands a SIGTERM to the shell between us and itself, which dies of it and does not pass it on. Without this,
// `npm start &` and `kill %1` would leave a server that nobody sees and that holds its port.
function onParentGone(end: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, PARENT_POLL_MS);
  timer.unref();
}

/** Were we started by npm, or by our own program under an older Node? Any other parent may go, as `nohup` wants it. */
function hasStarter(env: NodeJS.ProcessEnv): boolean {
  return env['npm_command'] !== undefined || env['CUSTODIAN_FOUND_NODE'] !== undefined;
}
