/** The same with instances that are saved at each page, and with taps from its loading on. */
import './at-load.ts';

export const checkpoint = true;
export { run as default } from './work.ts';
