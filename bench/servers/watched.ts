// A host whose long requests are watched, or not, as the bench says: `on`, `off`.
import { serve, type ServeOptions } from '@custodian/host';
import { Watchdog } from '../../packages/host/src/cell/watchdog.ts';
import { givenOptions, serving } from '../support/serving.ts';

let isOn = true;
const follow = Reflect.get(Watchdog.prototype, 'follow') as (...args: Parameters<Watchdog['follow']>) => void;
// Who is not followed is neither swept nor watched, and so is not sampled: all that accounting does while a request runs.
Watchdog.prototype.follow = function (this: Watchdog, ...args: Parameters<Watchdog['follow']>): void {
  if (isOn) Reflect.apply(follow, this, args);
};

const host = await serve({ log: false, ...givenOptions<ServeOptions>() });
serving(
  host.port,
  () => host.close(),
  (question) => {
    isOn = question === 'on';
  },
);
