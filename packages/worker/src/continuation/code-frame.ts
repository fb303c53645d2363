/** The author's lines around a place, with a caret under it. Lines and columns count from 1. */
export function codeFrame(source: string, line: number, column: number, around = 2): string {
  const lines = source.split(/\r?\n/),
    first = Math.max(1, line - around),
    last = Math.min(lines.length, line + around),
    width = String(last).length;
  const out: string[] = [];
  for (let n = first; n <= last; n++) {
    out.push(`${n === line ? '>' : ' '} ${String(n).padStart(width)} | ${lines[n - 1] ?? ''}`);
    if (n === line)
      out.push(`  ${' '.repeat(width)} | ${(lines[n - 1] ?? '').slice(0, column - 1).replace(/[^\t]/g, ' ')}^`);
  }
  return out.join('\n');
}
