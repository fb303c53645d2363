/** A handler of the Fetch standard, with taps from its loading on. */
import './at-load.ts';
import { found } from './tap.ts';

const WORK: Record<string, (request: Request) => unknown> = {
  found: () => JSON.stringify(found()),
  text: () => 'text',
  body: async (request) => (await request.clone().text()).length + (await request.arrayBuffer()).byteLength,
  upload: async (request) => {
    const sizes: number[] = [];
    for (const [, value] of await request.formData()) sizes.push(typeof value === 'string' ? 0 : value.size);
    return sizes.join();
  },
  stream: (request) => {
    request.signal.addEventListener('abort', () => {});
    const pieces = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.enqueue(Buffer.from(`${request.url}\n`));
        controller.close();
      },
    });
    return pieces.pipeThrough(new TextDecoderStream()).pipeThrough(new TextEncoderStream());
  },
  fetched: (request) => fetch(new URL(request.url).searchParams.get('site') ?? ''),
};

export default {
  async fetch(request: Request): Promise<Response> {
    const result = await WORK[new URL(request.url).searchParams.get('do') ?? '']?.(request);
    return result instanceof Response ? result : new Response(result as string);
  },
};
