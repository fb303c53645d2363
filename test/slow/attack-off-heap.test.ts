import { attackSuite } from '../attack/attack-suite.ts';
import { OFF_HEAP } from '../attack/off-heap.ts';

attackSuite(OFF_HEAP);
