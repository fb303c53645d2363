/** A sum of numbers over pages that may be gone back to: what it says can be checked by whoever knows what was answered. */
const SUM = `
  import { html, sendSuspend } from '@custodian/worker';
  export default async function start() {
    let sum = 0;
    for (;;) {
      const soFar = sum;
      const request = await sendSuspend((url) => html\`<p>so far \${soFar}</p><a href="\${url}">on</a>\`);
      sum += Number(request.bindings.get('n'));
    }
  }`;

/** The same, and its pages need no thread. */
const SAVED_SUM = `export const stateless = true;${SUM}`;

/** Writes down what it is sent before it answers. */
const BOOK = `
  import { fileBox } from '@custodian/worker';
  const box = fileBox('book', []);
  export default async function start(request) {
    const { query } = request;
    if (query.has('read')) return { headers: [['Content-Type', 'application/json']], body: JSON.stringify(await box.get()) };
    await box.update((entries) => [...entries, query.get('entry')]);
    return 'written';
  }`;

/** Gives back what it gets. */
const ECHO = `
  export default async function start(request) {
    const pieces = [];
    for await (const piece of request.body ?? []) pieces.push(piece);
    return { body: Buffer.concat(pieces) };
  }`;

const CLOCK = `export default () => 'tick'`;

/** Does what it must not, as \`?do=\` says. */
const BAD = `
  const hoard = [];
  const ways = {
    heap() { for (;;) hoard.push(new Array(10_000).fill(hoard.length)); },
    buffers() { for (;;) hoard.push(Buffer.alloc(1 << 20, 1)); },
    spin() { for (;;); },
    async awaitLoop() { for (;;) await null; },
    hang() { return new Promise(() => {}); },
    exit() { process.exit(3); },
    throw() { throw new Error('bad'); },
    reject() { void Promise.reject(new Error('nobody awaits')); return new Promise(() => {}); },
    flood() { return { body: (async function* () { for (;;) yield Buffer.alloc(65536); })() }; },
    async late() { setTimeout(() => { for (;;) hoard.push({ hoard }); }, 20); return 'so far so good'; },
    recursion() { const deeper = () => deeper() + 1; return String(deeper()); },
  };
  export default (request) => ways[request.query.get('do')]();`;

export const BAD_WAYS = [
  'heap',
  'buffers',
  'spin',
  'awaitLoop',
  'hang',
  'exit',
  'throw',
  'reject',
  'flood',
  'late',
  'recursion',
] as const;

export const SERVLETS: Readonly<Record<string, string>> = {
  sum: SUM,
  saved: SAVED_SUM,
  book: BOOK,
  echo: ECHO,
  clock: CLOCK,
  bad: BAD,
};
