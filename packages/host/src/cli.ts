import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { type Command, parseCommand, UsageError } from './cli/arguments.ts';
import { ADJUST_HELP, CHECK_HELP, DOCTOR_HELP, HELP, KILL_HELP, PS_HELP, SERVE_HELP, TOP_HELP } from './cli/help.ts';
import { createPaint } from './cli/paint.ts';
import { ConfigError } from './config-error.ts';

const EXIT = { done: 0, failed: 1, wrongUsage: 2 } as const;

const HELP_ABOUT = {
  custodian: HELP,
  serve: SERVE_HELP,
  check: CHECK_HELP,
  doctor: DOCTOR_HELP,
  ps: PS_HELP,
  kill: KILL_HELP,
  top: TOP_HELP,
  adjust: ADJUST_HELP,
};

/** Runs one command line, without the program's name, and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  // A reader that went away (`custodian serve … | head -1`) is no reason to stop serving.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  let exitCode: number;
  try {
    exitCode = await run(parseCommand(argv));
  } catch (error) {
    exitCode = report(error);
  }
  // Not `process.exit()` at once: what was written to a pipe may not have left.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)));
}

async function run(command: Command): Promise<number> {
  switch (command.name) {
    case 'help':
      process.stdout.write(HELP_ABOUT[command.about]);
      return EXIT.done;
    case 'version':
      process.stdout.write(`${await version()}\n`);
      return EXIT.done;
    case 'doctor': {
      const { examine, render } = await import('./doctor.ts');
      const report = await examine();
      const paint = createPaint(process.stdout, process.env);
      process.stdout.write(command.isJson ? `${JSON.stringify(report, null, 2)}\n` : render(report, paint));
      return report.isAble ? EXIT.done : EXIT.failed;
    }
    case 'check': {
      const { runCheck } = await import('./cli/check-command.ts');
      return runCheck(command);
    }
    case 'ps':
    case 'kill':
    case 'top':
    case 'adjust': {
      const { runOperatorCommand } = await import('./cli/operator-commands.ts');
      return runOperatorCommand(command);
    }
    case 'serve': {
      const { runServe } = await import('./cli/serve-command.ts');
      return runServe(command);
    }
  }
}

function report(error: unknown): number {
  const paint = createPaint(process.stderr, process.env);
  process.stderr.write(`${paint('red', 'custodian:')} ${describe(error)}\n`);
  return error instanceof UsageError || error instanceof ConfigError ? EXIT.wrongUsage : EXIT.failed;
}

/** One line for what an operator can mend; everything for what only we can. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  const { code, port } = error as { code?: unknown; port?: unknown };
  if (code === 'CUSTODIAN_PORT_IN_USE') {
    return `Cannot listen on port ${String(port)}: it is in use (choose another one with --port, or 0 for any free one)`;
  }
  const isBug = error instanceof TypeError || error instanceof ReferenceError || error.name === 'AssertionError';
  return isBug && code === undefined ? inspect(error) : error.message;
}

async function version(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
