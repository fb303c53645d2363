/** Two columns each: East Asian scripts with their full-width forms, and emoji. */
const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation}/u;
/** Marks that go onto what is before them, and what is not seen at all. */
const WITHOUT_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;
/** A character, or what colours those that follow. */
// oxlint-disable-next-line no-control-regex
const PIECE = /\u001B\[[\d;]*m|./gsu;

/** How many columns of a terminal the text takes, colours in it none. */
export function textWidth(text: string): number {
  let width = 0;
  for (const [piece] of text.matchAll(PIECE)) width += widthOf(piece);
  return width;
}

/** As much of the text as has room in so many columns, with all of its colours. */
export function cutToWidth(text: string, columns: number): string {
  let width = 0;
  let kept = '';
  for (const [piece] of text.matchAll(PIECE)) {
    width += widthOf(piece);
    if (width <= columns || isColour(piece)) kept += piece;
  }
  return kept;
}

function widthOf(piece: string): number {
  if (isColour(piece) || WITHOUT_WIDTH.test(piece)) return 0;
  return WIDE.test(piece) ? 2 : 1;
}

function isColour(piece: string): boolean {
  return piece.length > 1 && piece.startsWith('\u001B');
}
