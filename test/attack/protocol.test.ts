import { attackSuite } from './attack-suite.ts';
import { PROTOCOL } from './protocol.ts';

attackSuite(PROTOCOL, { cpuMs: 1000, wallMs: 5000 });
