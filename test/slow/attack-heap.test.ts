import { attackSuite } from '../attack/attack-suite.ts';
import { HEAP } from '../attack/heap.ts';

attackSuite(HEAP);
