import { attackSuite } from '../attack/attack-suite.ts';
import { TIME } from '../attack/time.ts';

attackSuite(TIME);
