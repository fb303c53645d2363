// What does the walls' protection cost, all told? Estimate: see each question. Asks them one after the other: `node bench/run.ts [--rounds 5] [--seconds 2] [--cores 1|2] [--kills 400]`.
import { accounting } from './accounting.ts';
import { cellCost } from './cell-cost.ts';
import { close } from './close.ts';
import { continuation } from './continuation.ts';
import { continuationHttp } from './continuation-http.ts';
import { hello } from './hello.ts';
import { neighbour } from './neighbour.ts';
import { requests } from './requests.ts';
import { checkpoint } from './checkpoint.ts';
import { stateless } from './stateless.ts';
import { benchOptions, type Question, report } from './support/report.ts';

const QUESTIONS: Record<string, Question> = {
  hello,
  close,
  'cell-cost': cellCost,
  neighbour,
  accounting,
  continuation,
  'continuation-http': continuationHttp,
  checkpoint,
  stateless,
  requests,
};

const options = benchOptions(process.argv.slice(2));
for (const [name, question] of Object.entries(QUESTIONS)) await report(name, question, options);
