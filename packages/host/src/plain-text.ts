/**
 * What a terminal acts on instead of showing it: controls, those of C1 included, and marks that turn the direction of what follows.
 * A servlet's or a visitor's text has them when it should not be seen as it is.
 */
// oxlint-disable-next-line no-control-regex
const ACTING = /[\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g;
/** Those that JSON leaves as they are. */
// oxlint-disable-next-line no-control-regex
const LEFT_BY_JSON = /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g;

/** A text as a terminal may get it, in one line. */
export function plainText(text: string): string {
  return text.replace(ACTING, '\uFFFD');
}

/** The same JSON with none of them in it, for logs and whatever else somebody looks at in a terminal. */
export function plainJson(json: string): string {
  return json.replace(LEFT_BY_JSON, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
