const LINE_END = /\r\n?|[\n\u2028\u2029]/g;

/** The lines of a text, to find where an offset is. */
export class SourceLines {
  readonly #source: string;
  /** Where they begin; null until somebody asks, since many modules are left as they are. */
  #starts: number[] | null = null;
  constructor(source: string) {
    this.#source = source;
  }

  /** As people count: `line` and `column` from 1. */
  placeOf({ start }: { start: number }): { line: number; column: number } {
    const { line, column } = this.at(start);
    return { line, column: column + 1 };
  }

  /** `line` counts from 1, `column` from 0. */
  at(offset: number): { line: number; column: number } {
    const starts = (this.#starts ??= startsOf(this.#source));
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

function startsOf(source: string): number[] {
  return [0, ...Array.from(source.matchAll(LINE_END), ({ 0: end, index }) => index + end.length)];
}
