import { readConfig } from '../config.ts';
import { missingWalls } from '../doctor.ts';
import { strippedNodeOptions } from '../doctor/node-options.ts';
import type { Host, ServeOptions, ServletStatus } from '../options.ts';
import { ConfigError } from '../servlet-list.ts';
import type { Command } from './arguments.ts';
import { openBrowser } from './browser.ts';
import { createPaint, type Paint } from './paint.ts';

const DEFAULT_PORT = 8080;
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
  const signals = listenForSignals();
  const paint = createPaint(process.stdout, process.env);

  // Loaded here and not above, so that --help and doctor do not wait for it.
  const { serve } = await import('../index.ts');
  const host = await serve(options);
  await Promise.race([host.ready(), signals.first]);
  if (!signals.isRaised()) {
    await announce(host, paint);
    if (command.isOpening) void open(host);
  }

  const signal = await signals.first;
  say(`${signal}: closing, with up to ${GRACE_MS / 1000} s for running requests`);
  const closed = host.close({ graceMs: GRACE_MS });
  const second = await Promise.race([closed.then(() => null), signals.second]);
  if (second === null) return 0;
  // The second call kills; should even that not end, the process does, and its cells with it.
  await Promise.race([host.close(), new Promise((resolve) => setTimeout(resolve, 500))]);
  return 128 + SIGNAL_NUMBERS[second];
}

/** The config file's options with those of the command line laid over. */
export async function optionsOf(command: ServeCommand): Promise<ServeOptions> {
  const file = command.config === null ? {} : await readConfig(command.config);
  const flags = command.options;
  const options: Partial<ServeOptions> = { log: 'requests', logDestination: 2, admin: true, ...file, ...flags };
  if (file.limits !== undefined || flags.limits !== undefined) options.limits = { ...file.limits, ...flags.limits };
  // A port on the command line is the whole answer to where to listen, whatever the file lists.
  if (flags.port !== undefined || flags.host !== undefined) delete options.ipsAndPorts;
  if (flags.port !== undefined) delete options.ports;
  if (options.port === undefined && options.ports === undefined && options.ipsAndPorts === undefined) {
    options.port = DEFAULT_PORT;
  }
  if (command.paths.length > 0) {
    options.servlets = command.paths.length === 1 ? command.paths[0]! : command.paths;
  }
  if (options.servlets === undefined) {
    throw new ConfigError(`Cannot serve: neither the command line nor config "${command.config}" names a servlet`);
  }
  return { ...options, servlets: options.servlets };
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
    const name = paint('bold', servlet.name.padEnd(nameWidth));
    const url = paint('cyan', servlet.url.padEnd(urlWidth));
    if (servlet.state === 'benched') {
      const reason = (servlet.error ?? 'it cannot be loaded').split('\n')[0];
      return `${name}  ${url}  ${paint('red', `benched: ${reason}`)}`;
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
