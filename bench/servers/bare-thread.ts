// The work of bench/servlets/spin.ts in a plain worker thread, under nobody's eyes. Prints rounds per ms: bare-thread.ts MS
import { Worker } from 'node:worker_threads';

const spin = new URL('../servlets/spin.ts', import.meta.url).href;
const program = `import { parentPort } from 'node:worker_threads';
import { spun } from ${JSON.stringify(spin)};
spun(300);
parentPort.postMessage(spun(${Number(process.argv[2])}));`;
const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
worker.once('message', (rounds: number) => process.stdout.write(String(rounds)));
