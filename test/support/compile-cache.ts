import { fileURLToPath } from 'node:url';

/**
 * Where hosts that tests start in processes of their own find what Node has made of the sources (`NODE_COMPILE_CACHE`). To take
 * their types off anew was almost half of each start. Node keeps an entry for each content of a file, so that none is out of date.
 */
export const COMPILE_CACHE: string = fileURLToPath(
  new URL('../../node_modules/.cache/custodian-test', import.meta.url),
);
