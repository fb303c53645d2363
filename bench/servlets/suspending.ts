/** What the bench of continuations runs: a module of plain JavaScript, so that the engine can run it as it is. */
export const PROGRAM: string = `
import { capture } from ${JSON.stringify(new URL('../../packages/worker/src/continuation/runtime.ts', import.meta.url).href)};

const ask = () => capture(() => 'page');

export async function fib(n) {
  if (n < 2) return n;
  return (await fib(n - 1)) + (await fib(n - 2));
}

export async function page(items) {
  let out = '';
  for (const item of items) out += await row(item);
  return '<table>' + out + '</table>';
}

async function row(item) {
  const cells = await Promise.resolve(item.cells.map((cell) => '<td>' + escaped(cell) + '</td>'));
  return '<tr>' + cells.join('') + '</tr>';
}

const escaped = (text) => String(text).replace(/[<&]/g, (found) => '&#' + found.charCodeAt(0) + ';');

export async function deep(n, suspends) {
  if (n === 1) {
    const answer = suspends ? await ask() : await Promise.resolve(0);
    return answer + 1;
  }
  const below = await deep(n - 1, suspends);
  return below + 1;
}

export async function fails(n) {
  if (n === 1) {
    await Promise.resolve(0);
    throw ERROR;
  }
  const below = await fails(n - 1);
  return below + 1;
}

const ERROR = new Error('the bench asked for it');

export async function sum2() {
  const m = await number('First number:');
  const n = await number('Second number:');
  return 'The sum is ' + (m + n);
}

async function number(label) {
  const reply = await ask(label);
  return Number(reply);
}
`;

/** A servlet of 2,000 lines, in TypeScript. */
export function longServlet(): string {
  return Array.from({ length: 100 }, (_, i) => step(i)).join('');
}

const step = (i: number): string => `
export interface Answer${i} { name: string; age: number }

async function step${i}(previous: Answer${i} | null, ask: (label: string) => Promise<string>): Promise<Answer${i}> {
  const name = await ask(\`Name (\${previous?.name ?? 'none'}):\`);
  let age = 0;
  while (!(age > 0)) {
    const text: string = await ask('Age of ' + name + ':');
    age = Number.parseInt(text, 10);
    if (Number.isNaN(age)) await ask('That is no number: ' + text);
  }
  for (const relative of ['mother', 'father'] as const) {
    try {
      const reply = await ask(\`Age of your \${relative}:\`);
      if (Number(reply) < age) throw new Error('impossible');
    } catch (error) { await ask((error as Error).message); }
  }
  return { name, age };
}
${i === 0 ? "import { sendSuspend } from '@custodian/worker';" : `export const run${i} = step${i};`}
`;
