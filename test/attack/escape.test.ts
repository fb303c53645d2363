import { attackSuite } from './attack-suite.ts';
import { ESCAPE } from './escape.ts';

attackSuite(ESCAPE, { cpuMs: 2000, wallMs: 4000, cellIdleTimeoutMs: 2000, tempMb: 8 });
