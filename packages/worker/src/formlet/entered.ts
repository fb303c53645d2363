import type { Bindings } from '../http/bindings.ts';
import type { ServletRequest } from '../http/request.ts';

/** Where the fields of an answered form come from. */
export type FormletSource = ServletRequest | Bindings | URLSearchParams;

/** A file among the fields of a form, as bindings have them. */
export type FormFile = Exclude<Bindings extends Iterable<readonly [string, infer Value]> ? Value : never, string>;

/** What a visitor has sent: texts and files by the names of their inputs. */
export class Entered {
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly files: ReadonlyMap<string, readonly FormFile[]>;

  constructor(texts: ReadonlyMap<string, readonly string[]>, files: ReadonlyMap<string, readonly FormFile[]>) {
    this.texts = texts;
    this.files = files;
  }
}

const NAME = /^input_\d+$/;

export function enteredOf(source: FormletSource): Entered {
  const fields = 'bindings' in source ? source.bindings : source;
  const texts = new Map<string, string[]>();
  const files = new Map<string, FormFile[]>();
  for (const [name, value] of fields) {
    if (!NAME.test(name)) continue;
    if (typeof value === 'string') add(texts, name, value);
    else if ((value as { isLeftEmpty?: boolean }).isLeftEmpty !== true) add(files, name, value as FormFile);
  }
  return new Entered(texts, files);
}

function add<Value>(to: Map<string, Value[]>, name: string, value: Value): void {
  const values = to.get(name);
  if (values === undefined) to.set(name, [value]);
  else values.push(value);
}
