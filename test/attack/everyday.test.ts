/** A few of each family, of every way in which the walls stop something; all of them are in the slow suite. */
import { attackSuite } from './attack-suite.ts';
import type { Attack } from './attack.ts';
import { FLOOD } from './flood.ts';
import { HEAP } from './heap.ts';
import { OFF_HEAP } from './off-heap.ts';
import { PERSISTENCE } from './persistence.ts';
import { TIME } from './time.ts';

const NAMES = new Set([
  // Memory that V8 tells, little by little and at once.
  "the tutorial's many, 50 000 000 times",
  'objects',
  'a Map that grows',
  'small strings',
  'promises',
  'recursion',
  'Buffer growth',
  'one Buffer of 2 GB',
  'wasm memory growth',
  'a gzip bomb',
  'allocation after the answer',
  'garbage that is not kept, less than the cap in each turn',
  'garbage that is not kept, a quarter of the cap in each turn',
  'buffers below what is beyond excuse, by one that says that it holds nothing',
  'buffers below what is beyond excuse, by one that is interrupted when it is to say what it holds',
  'shared buffers, by one that says that it runs nothing',
  // Memory that shows in the process only.
  'SharedArrayBuffer growth',
  'Intl.DateTimeFormat objects',
  // Time: interrupted, uninterrupted, and waited for.
  'an endless loop',
  'an endless regular expression',
  'pbkdf2 of a minute',
  'Atomics.wait',
  'a promise that never answers',
  'an endless loop after the answer',
  'an endless loop at load',
  // Floods, to the host and to clients.
  'standard output',
  'a header that splits the response',
  'a body without an end, to a client that does not read',
  // What might stay.
  '50 child processes',
  'a child that leaves its process group',
  'process.kill of itself',
  'a throw of nothing that could be described',
]);

const chosen = [HEAP, OFF_HEAP, TIME, FLOOD, PERSISTENCE].flat().filter(({ name }: Attack) => NAMES.has(name));
if (chosen.length !== NAMES.size) throw new Error('an attack of the everyday suite has another name now');

attackSuite(chosen);
