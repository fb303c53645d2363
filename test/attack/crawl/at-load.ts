/** Imported first, it taps all before the servlet is loaded, and so before the runtime makes of its module what it runs. */
import { fileBox } from '@custodian/worker';
import { roots } from './reach.ts';
import { install } from './tap.ts';

// What writes values down is loaded by the first that needs it, and makes do with no accessors in the place of the language's methods.
await fileBox('crawl-first', 1).get();
install(roots());
