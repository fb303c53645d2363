import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Finding } from '@custodian/worker/check';
import { ConfigError } from '../config-error.ts';
import { isServletFile } from '../servlet-list.ts';
import type { Command } from './arguments.ts';
import { createPaint, type Paint } from './paint.ts';

type CheckCommand = Extract<Command, { name: 'check' }>;

/** Tells what is provably wrong with servlets. @returns 1 where something is, else 0 */
export async function runCheck({ paths, isJson, isStateless }: CheckCommand): Promise<number> {
  const files = paths.flatMap(servletsAt);
  quietly();
  // The compiler is loaded for this command alone.
  const { checkServlet } = await import('@custodian/worker/check');
  const findings = new Map<string, Finding>();
  for (const file of files)
    for (const found of checkServlet(pathToFileURL(file).href, { isStateless }))
      // Servlets of one directory share modules.
      findings.set(`${found.file}:${found.line}:${found.column} ${found.code} ${found.message}`, found);
  const all = [...findings.values()],
    errors = all.filter(({ severity }) => severity === 'error').length;
  process.stdout.write(
    isJson
      ? `${JSON.stringify({ files, findings: all }, null, 2)}\n`
      : render(files, all, createPaint(process.stdout, process.env)),
  );
  return errors > 0 ? 1 : 0;
}

/** That stripping types is experimental is no news about a servlet. */
function quietly(): void {
  const emit = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]) => {
    if (args[1] !== 'ExperimentalWarning') emit(...args);
  };
}

/** @throws ConfigError */
function servletsAt(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new ConfigError(`Cannot check "${path}": it does not exist`);
  if (!stat.isDirectory()) return [path];
  const names = readdirSync(path).filter(isServletFile).sort();
  if (names.length === 0) throw new ConfigError(`Cannot check "${path}": there is no .ts, .js or .mjs file in it`);
  return names.map((name) => join(path, name));
}

function render(files: readonly string[], findings: readonly Finding[], paint: Paint): string {
  let text = '';
  for (const { severity, code, message, file, line, column } of findings) {
    const place = `${relative(process.cwd(), file)}:${line}:${column}`;
    text += `${paint('bold', place)} ${paint(severity === 'error' ? 'red' : 'yellow', severity)} ${message} (${code})\n${codeLine(file, line, column)}\n`;
  }
  const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`,
    count = (severity: string): number => findings.filter((each) => each.severity === severity).length;
  return `${text}${many(files.length, 'servlet')}: ${many(count('error'), 'error')}, ${many(count('warning'), 'warning')}\n`;
}

function codeLine(file: string, line: number, column: number): string {
  const text =
    readFileSync(file, 'utf8')
      .replace(/^\ufeff/, '')
      .split(/\r?\n/)[line - 1] ?? '';
  return `    ${text}\n    ${text.slice(0, column - 1).replace(/[^\t]/g, ' ')}^`;
}
