import type { ServletRequest, XexprElement } from '@custodian/worker';

/** Shows the sum of the number of this page's form and of the one before it. */
export default function two(request: ServletRequest): XexprElement {
  const n = Number(request.bindings.single('hidden'));
  const m = Number(request.bindings.single('number'));
  return ['html', { lang: 'en' }, ['head', ['title', 'The sum']], ['body', `The sum is ${m + n}`]];
}
