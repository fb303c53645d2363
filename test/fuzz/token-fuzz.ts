import {
  readNear,
  readPayload,
  readToken,
  withoutPayload,
  withoutToken,
  withPayload,
  withToken,
} from '../../packages/protocol/src/index.ts';
import { MemoryStore } from '../../packages/host/src/store/memory-store.ts';
import { StoreService } from '../../packages/host/src/store/store-service.ts';
import { connectAsks } from '../support/thread-asks.ts';
import { newKey, StatelessProgram, urlOf } from '../worker/servlet/stateless-program.ts';
import type { Random } from '../support/random.ts';
import { mutated } from './mutated.ts';

const SERVLET = `import { html, sendSuspend, sendSuspendDispatch } from '@custodian/worker';
export default async function start({ query }) {
  const kept = 'a'.repeat(Number(query.get('kept') ?? 0)), noise = [];
  for (let at = 1; noise.length < Number(query.get('noise') ?? 0); noise.push(at)) at = (at * 48271) % 2147483647;
  await sendSuspend((url) => html\`<a href="\${url}">first</a>\`);
  const chosen = await sendSuspendDispatch((embedUrl) => html\`<a href="\${embedUrl(() => 'one')}">one</a>\`);
  return 'chosen ' + chosen + kept.length + noise.length;
}`;

/** What stands in URLs and between their parts. */
const WORDS = [
  ';c=',
  ';k=',
  ';at=',
  ';',
  '/',
  '?',
  '#',
  '%',
  '%00',
  '%zz',
  '%3B',
  '=',
  '..',
  '//',
  ';c',
  'c=0',
  'c=1',
  'r0.1-1-abc.1.1.',
].map((word) => Buffer.from(word));

/** Addresses of real pages, changed, for those who read them; and whether only what was made is answered. */
export class TokenFuzz {
  readonly #program: StatelessProgram;
  readonly #targets: readonly Buffer[];
  readonly #real: ReadonlySet<string>;
  readonly seen: Record<'real' | 'none' | 'refused', number> = { real: 0, none: 0, refused: 0 };
  #refusal: string | null = null;

  private constructor(program: StatelessProgram, urls: string[]) {
    this.#program = program;
    this.#real = new Set(urls.map((url) => readPayload(url)!));
    const place = { place: 'r0.12-3-x0Fq_2ab', instance: 1, continuation: 2, nonce: 'aA0_-aA0_-aA0_-aA0_-aA' };
    this.#targets = [
      ...urls,
      withToken('/start', place),
      withToken(urls[0]!, place),
      withPayload('/start', readPayload(urls[0]!)!, 'r0.1-1-abc'),
    ].map((url) => Buffer.from(url));
  }

  static async create(): Promise<TokenFuzz> {
    connectAsks('test', [new StoreService(new MemoryStore(), () => {})]);
    const program = await StatelessProgram.load(SERVLET, { keys: [newKey(1), newKey(2)] });
    const urls: string[] = [];
    // The last one is in the store, and its address a key.
    for (const query of ['', '?kept=1000', '?noise=1000']) {
      const first = await program.text(`/start${query}`);
      urls.push(urlOf(first), urlOf(await program.follow(first)));
    }
    return new TokenFuzz(program, urls);
  }

  /** One changed address. @throws what must not be */
  async one(random: Random): Promise<void> {
    const bytes = mutated(random, random.of(this.#targets), this.#targets, WORDS),
      target = bytes.toString('latin1');
    try {
      this.#read(target);
      await this.#ask(target);
    } catch (error) {
      throw new Error(`Wrong with ${JSON.stringify(target)}`, { cause: error });
    }
  }

  /** What reads as something is written as it is read. */
  #read(target: string): void {
    const token = readToken(target),
      payload = readPayload(target),
      near = readNear(target);
    if (token !== null) expectSame(readToken(withToken(withoutToken(target), token)), token);
    if (payload !== null) expectSame(readPayload(withPayload(withoutPayload(target), payload, near)), payload);
    if (readPayload(withoutPayload(target)) !== null) throw new Error('a payload is still there');
  }

  async #ask(target: string): Promise<void> {
    // What is no character of a target never comes to a servlet.
    const asked = `/start${target.slice(target.search(/;|$/))}`.replaceAll(/[\0-\x20\x7f-\xff]/g, ''),
      payload = readPayload(asked),
      isStateless = payload !== null && readToken(asked) === null,
      { status, body } = await this.#program.ask(asked),
      text = body as string;
    if (payload === null || !isStateless) {
      this.seen.none++;
      return;
    }
    if (this.#real.has(payload)) this.seen.real++;
    else if (status === 200 && text.includes('first')) this.seen.none++;
    else {
      this.seen.refused++;
      // The same to the byte, but for where to start again.
      const refusal = `${status} ${text.replace(/href="[^"]*"/, '')}`;
      this.#refusal ??= refusal;
      if (status !== 410 || refusal !== this.#refusal) throw new Error(`it is answered with ${refusal}`);
    }
  }
}

function expectSame(found: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${a} is not ${b}`);
}
