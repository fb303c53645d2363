import { attackSuite } from '../attack/attack-suite.ts';
import { PERSISTENCE } from '../attack/persistence.ts';

attackSuite(PERSISTENCE);
