/**
 * Where in markup a place is, as a browser's tokenizer sees it.
 * @see https://html.spec.whatwg.org/multipage/parsing.html#tokenization
 */
export type Place =
  /** Between tags. */
  | 'text'
  /** In an element whose text knows references and no tags. */
  | 'rcdata'
  /** In an element whose text knows neither. */
  | 'raw-text'
  /** In a start tag, where an attribute may begin. */
  | 'attributes'
  /** In the quotes of an attribute. */
  | 'value'
  /** Where no value may stand; {@link Tokenizer.obstacle} says what it is. */
  | 'nowhere';

const LETTER = /[a-z]/i;
const BLANK = /[\t\n\f\r ]/;
const RCDATA: ReadonlySet<string> = new Set(['textarea', 'title']);
const RAW_TEXT: ReadonlySet<string> = new Set(['iframe', 'noembed', 'noframes', 'plaintext', 'script', 'style', 'xmp']);

/** Reads the texts of a template in order. Between two of them stands a value. */
export class Tokenizer {
  place: Place = 'text';
  /** Why no value may stand here. */
  obstacle = '';
  /** The element whose tag or whose text this is, in lower case. */
  element = '';
  /** The attribute, in lower case. */
  attribute = '';
  /** What the attribute's value has had since its quote, as it stands in the template. */
  value = '';
  /** How many attributes have had a quoted value: tells one value from the next. */
  valueCount = 0;
  /** The quote that the attribute's value stands in. */
  quote = '"';
  /** The start tag of `element` has just ended. */
  isAfterStart = false;

  #text = '';
  #at = 0;
  /** In a script: after `<!--`, and after `<script` in that, an end tag does not end it. */
  #scriptDepth: 0 | 1 | 2 = 0;

  /** Reads on to the end of `text`. */
  read(text: string): void {
    this.#text = text;
    this.#at = 0;
    if (text !== '') this.isAfterStart = false;
    if (this.place === 'attributes') this.#afterValueForAttributes();
    while (this.#at < text.length && this.place !== 'nowhere') {
      switch (this.place) {
        case 'text':
          this.#readText();
          break;
        case 'rcdata':
        case 'raw-text':
          this.#readElementText();
          break;
        case 'attributes':
          this.#readAttributes();
          break;
        case 'value':
          this.#readValue();
          break;
      }
    }
  }

  #readText(): void {
    this.isAfterStart = false;
    const open = this.#text.indexOf('<', this.#at);
    if (open === -1) {
      this.#at = this.#text.length;
      return;
    }
    const next = this.#text[open + 1];
    if (next === undefined) this.#stop('the beginning of a tag');
    else if (LETTER.test(next)) this.#readTagName(open + 1);
    else if (next === '/') this.#readEndTag(open + 2);
    else if (next === '!') this.#readDeclaration(open + 2);
    else if (next === '?') this.#skipPast('>', open + 2, 'a comment');
    else this.#at = open + 1;
  }

  #readTagName(start: number): void {
    const end = this.#endOfName(start, /[\t\n\f\r />]/);
    if (end === -1) return this.#stop("a tag's name");
    this.element = this.#text.slice(start, end).toLowerCase();
    this.#at = end;
    this.place = 'attributes';
  }

  #readEndTag(start: number): void {
    const first = this.#text[start];
    if (first === undefined || LETTER.test(first)) this.#skipPast('>', start, 'an end tag');
    else this.#skipPast('>', start, 'a comment');
  }

  #readDeclaration(start: number): void {
    const rest = this.#text.slice(start, start + 7).toLowerCase();
    if (rest.startsWith('--')) this.#readComment(start + 2);
    else if (rest === '[cdata[') this.#skipPast(']]>', start + 7, 'a CDATA section');
    else this.#skipPast('>', start, rest === 'doctype' ? 'a doctype' : 'a comment');
  }

  #readComment(start: number): void {
    const empty = /^-?>/.exec(this.#text.slice(start, start + 2));
    if (empty !== null) {
      this.#at = start + empty[0].length;
      return;
    }
    const end = /--!?>/g;
    end.lastIndex = start;
    if (end.test(this.#text)) this.#at = end.lastIndex;
    else this.#stop('a comment');
  }

  /** After a value in the place of attributes comes a blank, the tag's end or the next value. */
  #afterValueForAttributes(): void {
    if (this.#text !== '' && !/^[\t\n\f\r />]/.test(this.#text)) this.#stop("an attribute's name");
  }

  /** From where a blank, a slash, the tag's end or an attribute's name may come. */
  #readAttributes(): void {
    const character = this.#text[this.#at] as string;
    if (character === '>') return this.#endStartTag();
    if (BLANK.test(character) || character === '/') {
      this.#at += 1;
      return;
    }
    // An equals sign in front is part of the name, says the standard.
    const end = this.#endOfName(this.#at + 1, /[\t\n\f\r />=]/);
    if (end === -1) return this.#stop("an attribute's name");
    this.attribute = this.#text.slice(this.#at, end).toLowerCase();
    this.#at = this.#skipBlanks(end);
    if (this.#text[this.#at] === '=') this.#readValueStart();
  }

  #readValueStart(): void {
    const start = this.#skipBlanks(this.#at + 1);
    const first = this.#text[start];
    if (first === undefined) return this.#stop(`the value of the attribute "${this.attribute}", which has no quotes`);
    if (first === '"' || first === "'") {
      this.quote = first;
      this.value = '';
      this.valueCount += 1;
      this.place = 'value';
      this.#at = start + 1;
    } else if (first === '>') this.#at = start;
    else {
      const end = this.#endOfName(start, /[\t\n\f\r >]/);
      if (end === -1) this.#stop(`the value of the attribute "${this.attribute}", which has no quotes`);
      else this.#at = end;
    }
  }

  #readValue(): void {
    const end = this.#text.indexOf(this.quote, this.#at);
    this.value += this.#text.slice(this.#at, end === -1 ? undefined : end);
    this.#at = end === -1 ? this.#text.length : end + 1;
    if (end === -1) return;
    this.place = 'attributes';
    if (this.#at === this.#text.length) this.#stop('the end of an attribute, where a blank is missing');
  }

  #endStartTag(): void {
    this.#at += 1;
    this.isAfterStart = true;
    this.#scriptDepth = 0;
    this.place = RCDATA.has(this.element) ? 'rcdata' : RAW_TEXT.has(this.element) ? 'raw-text' : 'text';
  }

  #readElementText(): void {
    this.isAfterStart = false;
    const token = this.element === 'script' ? /<!--|-->|<\/?script(?=[\t\n\f\r />])/gi : /<\/[a-z]+(?=[\t\n\f\r />])/gi;
    token.lastIndex = this.#at;
    const match = token.exec(this.#text);
    if (match === null) {
      this.#at = this.#text.length;
      return;
    }
    this.#at = match.index + match[0].length;
    const tag = match[0].toLowerCase();
    if (this.element === 'script' && this.#isWithinScript(tag)) return;
    if (tag !== `</${this.element}`) return;
    this.place = 'text';
    this.#skipPast('>', this.#at, 'an end tag');
  }

  /** Follows the states in which `</script>` is text. @returns whether the script goes on */
  #isWithinScript(token: string): boolean {
    if (token === '<!--') {
      if (this.#scriptDepth === 0) this.#scriptDepth = 1;
      // `<!-->` opens and closes.
      this.#at -= 2;
    } else if (token === '-->') this.#scriptDepth = 0;
    else if (token === '<script') {
      if (this.#scriptDepth === 1) this.#scriptDepth = 2;
    } else if (this.#scriptDepth === 2) this.#scriptDepth = 1;
    else return false;
    return true;
  }

  #skipPast(end: string, from: number, what: string): void {
    const index = this.#text.indexOf(end, from);
    if (index === -1) this.#stop(what);
    else this.#at = index + end.length;
  }

  #endOfName(from: number, stop: RegExp): number {
    for (let index = from; index < this.#text.length; index += 1)
      if (stop.test(this.#text[index] as string)) return index;
    return -1;
  }

  #skipBlanks(from: number): number {
    let index = from;
    while (index < this.#text.length && BLANK.test(this.#text[index] as string)) index += 1;
    return index;
  }

  #stop(what: string): void {
    this.place = 'nowhere';
    this.obstacle = what;
  }
}
