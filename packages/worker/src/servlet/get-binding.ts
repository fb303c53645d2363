import { type Binding, FormBinding } from '../http/bindings.ts';
import type { FileBinding } from '../http/file-binding.ts';
import type { ServletRequest } from '../http/request.ts';
import { currentRequest } from './send.ts';

/** What {@link getBinding} finds, by the format that is asked for. */
export interface BindingFormats {
  /** A field's text; none for one that is not UTF-8, and for a file. */
  string: string;
  /** A field's bytes; none for a file, whose content lies with the host: ask for `file`. */
  bytes: Uint8Array;
  /** A file; none for a field, and for a file input that was left empty. */
  file: FileBinding;
  binding: Binding;
}

/** How {@link getBinding} looks. */
export interface GetBindingOptions<Format extends keyof BindingFormats> {
  /** Default: the one that is being answered. */
  request?: ServletRequest;
  /** Default: `string`. */
  format?: Format;
}

/**
 * The first field or file of that name, which is case-sensitive; undefined where there is none, or it is not in that format.
 * @throws TypeError for a format that is none
 * @throws NoPromptError without a request, where none is being answered
 * @see Racket `get-binding`
 *
 * @example
 * ```ts
 * async function start() {
 *   await sendSuspend((url) => html`<form action="${url}" method="post"><input name="title"></form>`);
 *   return html`<p>${getBinding('title') ?? 'Untitled'}`;
 * }
 * ```
 */
export function getBinding<Format extends keyof BindingFormats = 'string'>(
  name: string,
  { request = currentRequest(), format }: GetBindingOptions<Format> = {},
): BindingFormats[Format] | undefined {
  const inFormat = formatter(format);
  const found = request.bindings.all.find((binding) => binding.name === name);
  return found === undefined ? undefined : inFormat(found);
}

/**
 * All fields and files of that name which are in that format, in order.
 * @throws TypeError for a format that is none
 * @throws NoPromptError without a request, where none is being answered
 * @see Racket `get-bindings`
 *
 * @example
 * ```ts
 * async function start() {
 *   await sendSuspend((url) => html`<form action="${url}"><input name="tea"><input name="tea"></form>`);
 *   return html`<ul>${getBindings('tea').map((tea) => html`<li>${tea}</li>`)}</ul>`;
 * }
 * ```
 */
export function getBindings<Format extends keyof BindingFormats = 'string'>(
  name: string,
  { request = currentRequest(), format }: GetBindingOptions<Format> = {},
): BindingFormats[Format][] {
  const inFormat = formatter(format);
  return request.bindings.all.flatMap((binding) => {
    const value = binding.name === name ? inFormat(binding) : undefined;
    return value === undefined ? [] : [value];
  });
}

type Formatter<Format extends keyof BindingFormats> = (binding: Binding) => BindingFormats[Format] | undefined;

const FORMATTERS: { [Format in keyof BindingFormats]: Formatter<Format> } = {
  string: (binding) => (binding instanceof FormBinding && isReadable(binding) ? binding.value : undefined),
  bytes: (binding) => (binding instanceof FormBinding ? binding.bytes() : undefined),
  file: (binding) => (binding instanceof FormBinding || binding.isLeftEmpty ? undefined : binding),
  binding: (binding) => binding,
};

function formatter<Format extends keyof BindingFormats>(format: Format | undefined): Formatter<Format> {
  const name = format ?? 'string';
  if (Object.hasOwn(FORMATTERS, name)) return FORMATTERS[name] as Formatter<Format>;
  throw new TypeError(`Cannot read a binding as ${JSON.stringify(name)}: formats are string, bytes, file and binding`);
}

/** Only a value with a replacement character in it can have been unreadable. */
function isReadable(field: FormBinding): boolean {
  if (!field.value.includes('\ufffd')) return true;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(field.bytes());
    return true;
  } catch {
    return false;
  }
}
