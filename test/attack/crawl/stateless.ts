/** The same with pages that hold the rest of their run, and with taps from its loading on. */
import './at-load.ts';

export const stateless = true;
export { run as default } from './work.ts';
