import type { Element } from 'domhandler';
import type { Control } from './controls.ts';
import { visibleText } from './document.ts';

/** What a tab asks for: kept in its history, to be asked for again. */
export interface TabRequest {
  method: string;
  url: string;
  body: URLSearchParams | FormData | string | null;
  contentType: string | null;
}

type Entry = [name: string, value: string | File];

/**
 * The request that a form makes. `submitter`: the button that was pressed.
 * @see https://html.spec.whatwg.org/#form-submission-algorithm
 */
export function submission(
  form: Element,
  controls: readonly Control[],
  submitter: Control | null,
  base: URL,
  pageUrl: string,
): TabRequest {
  const attribute = (name: string): string => submitter?.node.attribs[`form${name}`] ?? form.attribs[name] ?? '';
  const entries = entryList(form, controls, submitter);
  const action = attribute('action').trim();
  const url = new URL(action === '' ? pageUrl : action, base);
  if (attribute('method').toLowerCase() !== 'post') {
    url.search = urlencoded(entries).toString();
    url.hash = '';
    return { method: 'GET', url: url.href, body: null, contentType: null };
  }
  const method = 'POST';
  switch (attribute('enctype').toLowerCase()) {
    case 'multipart/form-data':
      return { method, url: url.href, body: multipart(entries), contentType: null };
    case 'text/plain': {
      const body = entries
        .map(([name, value]) => `${name}=${typeof value === 'string' ? value : value.name}\r\n`)
        .join('');
      return { method, url: url.href, body, contentType: 'text/plain' };
    }
    default:
      return { method, url: url.href, body: urlencoded(entries), contentType: null };
  }
}

/** @see https://html.spec.whatwg.org/#constructing-the-form-data-set */
function entryList(form: Element, controls: readonly Control[], submitter: Control | null): Entry[] {
  const entries: Entry[] = [];
  for (const control of controls) {
    if (control.form !== form || control.isDisabled) continue;
    const { name, node } = control;
    if (control.kind === 'submit') {
      if (control !== submitter) continue;
      if (node.attribs['type']?.toLowerCase() === 'image') {
        const prefix = name === '' ? '' : `${name}.`;
        entries.push([`${prefix}x`, '0'], [`${prefix}y`, '0']);
      } else if (name !== '') entries.push([name, node.attribs['value'] ?? '']);
      continue;
    }
    if (name === '') continue;
    switch (control.kind) {
      case 'checkbox':
      case 'radio':
        if (control.isChecked) entries.push([name, node.attribs['value'] ?? 'on']);
        break;
      case 'select':
        for (const option of control.options)
          if (control.chosen.has(option) && !isOptionDisabled(option)) entries.push([name, optionValue(option)]);
        break;
      case 'file':
        if (control.files.length === 0) entries.push([name, new File([], '', { type: 'application/octet-stream' })]);
        for (const file of control.files) entries.push([name, file]);
        break;
      case 'hidden':
        entries.push([name, name.toLowerCase() === '_charset_' ? 'UTF-8' : control.value]);
        break;
      case 'text':
        entries.push([name, control.value]);
        break;
      case 'none':
        break;
    }
  }
  return entries.map(([name, value]) => [withCrlf(name), typeof value === 'string' ? withCrlf(value) : value]);
}

export function optionValue(option: Element): string {
  return option.attribs['value'] ?? visibleText(option);
}

export function isOptionDisabled(option: Element): boolean {
  const { parent } = option;
  const isGroupDisabled =
    parent !== null && 'attribs' in parent && parent.name === 'optgroup' && 'disabled' in parent.attribs;
  return 'disabled' in option.attribs || isGroupDisabled;
}

function urlencoded(entries: readonly Entry[]): URLSearchParams {
  return new URLSearchParams(
    entries.map(([name, value]): Entry & [string, string] => [name, typeof value === 'string' ? value : value.name]),
  );
}

function multipart(entries: readonly Entry[]): FormData {
  const data = new FormData();
  for (const [name, value] of entries) {
    if (typeof value === 'string') data.append(name, value);
    else data.append(name, value, value.name);
  }
  return data;
}

function withCrlf(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '\r\n');
}
