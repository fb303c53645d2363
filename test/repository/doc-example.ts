/** One `@example` of a doc comment. */
export interface DocExample {
  file: string;
  /** Of its first line, from 1. */
  line: number;
  /** What the comment is about. */
  symbol: string;
  code: string;
}

const COMMENT =
  /\/\*\*[^]*?\*\/\s*(?:export\s+)?(?:abstract\s+|async\s+|declare\s+)*(?:(?:function\*?|class|const|interface|type|let)\s+(\w+)|(?:get\s+|static\s+|readonly\s+)*(\w+))?/g;
const BLOCK = /@example[^\n]*\n(?:\s*\*\s*\n)*\s*\*\s*```ts\n([^]*?)\s*\*\s*```/g;

/** The examples of a module, in the order of its text. */
export function examplesOf(file: string, source: string): DocExample[] {
  const examples: DocExample[] = [];
  for (const comment of source.matchAll(COMMENT)) {
    for (const block of comment[0].matchAll(BLOCK)) {
      const start = comment.index + block.index + block[0].indexOf(block[1] as string);
      examples.push({
        file,
        line: source.slice(0, start).split('\n').length,
        symbol: comment[1] ?? comment[2] ?? '',
        code: (block[1] as string).replace(/^[ \t]*\* ?/gm, ''),
      });
    }
  }
  return examples;
}

/** A statement that begins at the margin, and what a comment says that it comes to; null: nothing. */
export interface Statement {
  code: string;
  expected: string | null;
}

/** Lines of one example, put together to statements: one begins wherever a line begins at the margin with no bracket. */
export function statementsOf(code: string): Statement[] {
  const statements: Statement[] = [];
  for (const line of code.split('\n')) {
    const last = statements.at(-1);
    const comment = /^\/\/ (.*)$/.exec(line);
    if (comment !== null && last !== undefined) last.expected = (last.expected ?? '') + (comment[1] as string);
    else if (/^[^\s)\]}`*/]/.test(line) || last === undefined) {
      const [, before, after] = /^(.*;)\s+\/\/ (.*)$/.exec(line) ?? [];
      statements.push({ code: before ?? line, expected: after ?? null });
    } else last.code += `\n${line}`;
  }
  return statements.filter((statement) => statement.code.trim() !== '');
}

/** The example as a module whose default export checks it. */
export function moduleOf({ code }: DocExample): string {
  return statementsOf(code)
    .map(({ code: statement, expected }) => {
      if (expected === null) return statement;
      const expression = statement.replace(/;\s*$/, '');
      const thrown = /^throws (\w+)/.exec(expected);
      return thrown === null
        ? `await check(${expression}, ${expected});`
        : `await checkThrows(async () => (${expression}), '${thrown[1]}');`;
    })
    .join('\n');
}

/**
 * The example as a module that runs it. What it comes to, if that is a dispatcher or a host, is asked for `/`, and `status` is
 * exported. Ports are free ones.
 */
export function hostModuleOf({ code }: DocExample): string {
  const statements = statementsOf(code).map((statement) => statement.code.replace(/port: \d+/, 'port: 0'));
  const last = statements.at(-1) ?? '';
  const ask = 'export const { status } = await fetch(host.url);\n';
  // The end of one that declares nothing is a value.
  if (last.startsWith('await serve(')) return `${statements.with(-1, `await using host = ${last}`).join('\n')}\n${ask}`;
  const named = /^const (\w+): Dispatcher\b/.exec(last);
  if (named === null && !/^\w+\(/.test(last)) return statements.join('\n');
  const declared = named === null ? [...statements.slice(0, -1), `const made = ${last}`] : statements;
  const host = `await using host = await serve({ dispatchers: [${named?.[1] ?? 'made'}], servlets: 'servlets/' });`;
  return `import { serve } from '@custodian/host';\n${[...declared, host].join('\n')}\n${ask}`;
}
