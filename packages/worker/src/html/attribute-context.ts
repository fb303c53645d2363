/** Addresses: one that is followed, one that is only shown or played, or several with semicolons between them. */
export type AddressContext = 'url' | 'media-url' | 'url-list';

/** What a browser makes of an attribute's value: this decides what may be put into it. */
export type AttributeContext = 'text' | AddressContext | 'markup' | 'script' | 'style';

/** Attributes whose value is followed, loaded or sent to. */
const URL_ATTRIBUTES: ReadonlySet<string> = new Set(
  (
    'action background cite classid codebase data dynsrc formaction href icon longdesc lowsrc manifest poster profile ' +
    'src usemap xlink:href'
  ).split(' '),
);
/** SVG's animations may set another element's address. */
const ANIMATED: ReadonlySet<string> = new Set(['by', 'from', 'to', 'values']);
const ANIMATIONS: ReadonlySet<string> = new Set(['animate', 'animatemotion', 'animatetransform', 'set']);
/** What these load is shown or played, and never run: a `data:` URL does no harm. */
const MEDIA: ReadonlySet<string> = new Set(['audio', 'image', 'img', 'input', 'source', 'track', 'video']);

/** Both names in lower case. */
export function attributeContext(element: string, attribute: string): AttributeContext {
  if (attribute.startsWith('on')) return 'script';
  if (attribute === 'style') return 'style';
  if (attribute === 'srcdoc') return 'markup';
  if (URL_ATTRIBUTES.has(attribute)) {
    const isMedia = MEDIA.has(element)
      ? attribute !== 'formaction'
      : attribute === 'poster' || attribute === 'background';
    return isMedia ? 'media-url' : 'url';
  }
  if (!ANIMATED.has(attribute) || !ANIMATIONS.has(element)) return 'text';
  return attribute === 'values' ? 'url-list' : 'url';
}

// The URL standard strips controls and blanks in front, and tabs and line ends everywhere (§4.4).
const SCHEME = /^[\0-\x20]*([a-z][a-z0-9+.\-\t\n\r]*):/i;
const RUN_AS_PROGRAMS: ReadonlySet<string> = new Set(['javascript', 'vbscript', 'livescript', 'data']);

/** The scheme of an address that would run when it is followed, in lower case; null: it does no such thing. */
export function refusedScheme(text: string, context: AddressContext): string | null {
  if (context !== 'url-list') return refusedSchemeOf(text, context === 'media-url');
  for (const url of text.split(';')) {
    const scheme = refusedSchemeOf(url, false);
    if (scheme !== null) return scheme;
  }
  return null;
}

function refusedSchemeOf(url: string, isMedia: boolean): string | null {
  // Most addresses are of this site, and begin with a slash.
  if (url.charCodeAt(0) === 0x2f) return null;
  const match = SCHEME.exec(url);
  if (match === null) return null;
  const scheme = (match[1] as string).replace(/[\t\n\r]/g, '').toLowerCase();
  return RUN_AS_PROGRAMS.has(scheme) && !(isMedia && scheme === 'data') ? scheme : null;
}

/** Does it end within the scheme, or before it? Then what follows decides. */
export function isBeforeScheme(url: string): boolean {
  return /^[\0-\x20]*(?:[a-z][a-z0-9+.\-\t\n\r]*)?$/i.test(url);
}

/**
 * May a visitor's address stand in a link? Not one that runs as a program when it is followed: `html` throws for those.
 *
 * @example
 * ```ts
 * isSafeUrl('/shop?q=tea');            // true
 * isSafeUrl('mailto:ada@example.org'); // true
 * isSafeUrl(' JavaScript:alert(1)');   // false
 * isSafeUrl('data:text/html,x');       // false
 * ```
 */
export function isSafeUrl(url: string): boolean {
  return refusedScheme(url, 'url') === null;
}
