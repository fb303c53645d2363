/** Imported by a path that nobody knows before: compiled in the guest's thread, if its servlet's modules are. */
import { html, sendSuspend } from '@custodian/worker';

export const text = 'late';

export async function lateFlow(): Promise<string> {
  const { bindings } = await sendSuspend((url) => html`<a href="${url}">on</a>`);
  return String(bindings.get('a'));
}
