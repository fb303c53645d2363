import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import mime from 'mime';
import { ConfigError } from '../config-error.ts';

const TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:;\S*)?$/;

/** Which media type a file has, by the ending of its name. */
export class MediaTypes {
  readonly #typeOfEnding: (ending: string) => string | null | undefined;

  /**
   * The usual types, or those of a `mime.types` file: lines `text/html html htm`, comments behind `#`.
   * @throws ConfigError when the file can't be read, or a line of it
   */
  constructor(file: string | null = null) {
    if (file === null) this.#typeOfEnding = (ending) => mime.getType(ending);
    else {
      const table = readTable(file);
      this.#typeOfEnding = (ending) => table.get(ending);
    }
  }

  /** Null for an ending that nobody knows: such a file is sent without a type, as Racket does. Text is UTF-8 unless the table says otherwise. */
  typeOf(file: string): string | null {
    const ending = extname(file).slice(1).toLowerCase();
    const type = ending === '' ? null : (this.#typeOfEnding(ending) ?? null);
    return type !== null && type.startsWith('text/') && !type.includes(';') ? `${type}; charset=utf-8` : type;
  }
}

function readTable(file: string): Map<string, string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`Cannot read media types from "${file}": ${(cause as Error).message}`, { cause });
  }
  const table = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [type = '', ...endings] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (type === '') continue;
    if (!TYPE.test(type))
      throw new ConfigError(`Cannot read media types from "${file}": line ${index + 1} has no type`);
    for (const ending of endings) table.set(ending.toLowerCase().replace(/^\./, ''), type);
  }
  return table;
}
