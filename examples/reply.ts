import type { ServletRequest, XexprElement } from '@custodian/worker';

/**
 * As many hellos as the visitor asks for, all held in memory at once: 3 are a page, 50 000 000 do not fit under the
 * cap of 50 MB, and only the connection that asked for them is ended.
 */
export default function reply(request: ServletRequest): XexprElement {
  const n = Number(request.bindings.single('number'));
  const hellos: string[] = [];
  for (let i = 0; i < n; i += 1) hellos.push(' hello');
  return ['html', { lang: 'en' }, ['head', ['title', 'Greetings']], ['body', ...hellos]];
}
