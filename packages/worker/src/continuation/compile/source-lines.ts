const LINE_END = /\r\n?|[\n\u2028\u2029]/g;

/** The lines of a text, to find where an offset is. */
export class SourceLines {
  readonly #starts: number[] = [0];
  constructor(source: string) {
    for (const { 0: end, index } of source.matchAll(LINE_END)) this.#starts.push(index + end.length);
  }

  /** `line` counts from 1, `column` from 0. */
  at(offset: number): { line: number; column: number } {
    const starts = this.#starts;
    let low = 0,
      high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low]! };
  }
}
