import { attackSuite } from '../attack/attack-suite.ts';
import { FLOOD } from '../attack/flood.ts';

attackSuite(FLOOD);
