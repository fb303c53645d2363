import { ConfigError } from './config-error.ts';
import { plainJson } from './plain-text.ts';

/** Controls, ends of lines, marks of direction, and halves of characters, which are one and the same in UTF-8. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** Which option says how something is called. */
type NamingOption = 'mount' | 'name' | 'servletPath';

/** May this stand between the slashes of a servlet's name? One that looks like another one but for Unicode's forms may not. */
export function isNameElement(element: string): boolean {
  return !['', '.', '..'].includes(element) && !UNFIT.test(element) && element === element.normalize('NFC');
}

/**
 * A servlet's name, by which it has its keys, file boxes, saved pages and account, as it was given, but in the one of Unicode's
 * forms that all names are in (NFC), and without slashes around it. `''`: it is the root's.
 * @throws ConfigError for what no path leads to, or cannot be seen for what it is
 */
export function servletName(given: string, file: string, option: NamingOption): string {
  const name = given.normalize('NFC').replace(/^\/+|\/+$/g, '');
  if (name !== '' && !name.split('/').every(isNameElement)) {
    const shown = [file, given].map((text) => plainJson(JSON.stringify(text)));
    throw new ConfigError(
      `Cannot serve ${shown.join(' as ')}: a name has no controls, marks of direction and halves of characters, and no empty element, "." or ".." in it; give it another "${option}"`,
    );
  }
  return name;
}
