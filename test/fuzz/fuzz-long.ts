// Changed pages for the decoder and changed addresses for who reads them, half of the time each: npm run test:fuzz -- [seconds] [seed]
import { GraphFuzz } from './graph-fuzz.ts';
import { Random } from '../support/random.ts';
import { TokenFuzz } from './token-fuzz.ts';

const seconds = Number(process.argv[2] ?? 8 * 3600),
  seed = Number(process.argv[3] ?? Date.now() & 0x7fffffff),
  WRONG_MAX = 10,
  SLICE_MS = 2000;
console.log(`${seconds} s, seed ${seed}`);
// Most cases end in an error, whose stack nobody reads.
Error.stackTraceLimit = 0;

const random = new Random(seed),
  graphs = await GraphFuzz.create(),
  tokens = await TokenFuzz.create(),
  ends = Date.now() + seconds * 1000;
let cases = 0,
  wrong = 0;
const tell = (error: unknown): void => {
  wrong++;
  console.log(error);
};
while (Date.now() < ends && wrong < WRONG_MAX) {
  const until = Math.min(ends, Date.now() + SLICE_MS);
  for (; Date.now() < until; cases++) {
    try {
      graphs.one(random);
    } catch (error) {
      tell(error);
    }
  }
  try {
    graphs.check();
  } catch (error) {
    tell(error);
  }
  for (const end = Date.now() + SLICE_MS; Date.now() < Math.min(ends, end); cases++)
    await tokens.one(random).catch(tell);
}
console.log(`${cases} cases, the longest of the decoder ${graphs.longestMs.toFixed(0)} ms`);
console.log(`pages: ${JSON.stringify(graphs.seen)}, addresses: ${JSON.stringify(tokens.seen)}`);
console.log(wrong === 0 ? '0 wrong' : `WRONG: ${wrong}`);
process.exitCode = wrong === 0 ? 0 : 1;
