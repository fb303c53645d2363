import { crypto } from '../../node-crypto.ts';
import type { CodeInfo } from '../module-code.ts';
import type { FunctionMeta } from './functions.ts';

const HASH_BYTES = 9;
/** To be raised when code that is emitted reads frames of the version before in another way, though they look the same. */
const FRAMES_VERSION = 1;

/**
 * 72 bits, as 12 characters of base64url, of what a module's saved continuations depend on: its tokens, and how the compiler numbered
 * its functions, their awaits and their variables. Comments, line breaks, types and where things stand do not count.
 */
export function moduleHash(
  tokens: readonly string[],
  codes: readonly CodeInfo[],
  metas: readonly FunctionMeta[],
): string {
  const layout = [
    codes.map(({ line: _line, column: _column, ...rest }) => rest),
    metas.map(({ code, variables, boxes, awaits }) => [
      code,
      variables,
      boxes,
      awaits.map(({ live, isTail }) => [live, isTail]),
    ]),
  ];
  const hash = crypto().createHash('sha256').update(`${FRAMES_VERSION}\0${tokens.length}\0`);
  for (const token of tokens) hash.update(`${token.length}\0${token}`);
  return hash.update(JSON.stringify(layout)).digest().subarray(0, HASH_BYTES).toString('base64url');
}
