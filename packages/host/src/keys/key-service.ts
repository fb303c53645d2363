import type { Answer, Ask, Service } from '../service/service.ts';
import type { KeyRing } from './key-ring.ts';

/** Gives a thread the keys of its own servlet, and of no other: `[[id, base64url], …]`, of which the first one seals. */
export class KeyService implements Service {
  readonly name = 'keys';
  readonly #ring: () => KeyRing;
  #opened: KeyRing | null = null;

  /** `ring`: opened when a servlet needs keys first, since most hosts have none that does. */
  constructor(ring: () => KeyRing) {
    this.#ring = ring;
  }

  answer({ servlet }: Ask): Answer {
    this.#opened ??= this.#ring();
    const keys = this.#opened.keysFor(servlet.name);
    return { head: keys.map(({ id, secret }) => [id, Buffer.from(secret).toString('base64url')]) };
  }
}
