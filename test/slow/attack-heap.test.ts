import { attackSuite } from '../attack/attack-suite.ts';
import { HEAP } from '../attack/heap.ts';

attackSuite(HEAP, { cpuMs: 6000, wallMs: 10_000 });
