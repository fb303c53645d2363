import type { ServletRequest } from '@custodian/worker';

/** Fails where nobody can catch it: in a timer, or with `?in=promise` in a promise that nobody awaits. */
export default function crash(request: ServletRequest): Promise<never> {
  if (request.query.get('in') === 'promise') void Promise.reject(new Error('rejected, and nobody awaits it'));
  else
    setTimeout(() => {
      throw new Error('thrown in a timer');
    }, 0);
  return new Promise(() => {});
}
