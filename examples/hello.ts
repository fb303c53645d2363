import type { XexprElement } from '@custodian/worker';

export default function hello(): XexprElement {
  return ['html', ['body', 'Hello, World!']];
}
