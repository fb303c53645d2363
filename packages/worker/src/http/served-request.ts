/** Whose client can go away. */
interface Served {
  readonly signal: AbortSignal;
}

type ServedClass = new (served: Served, url: string, init: RequestInit) => Request;

let Class: ServedClass | null = null;

/**
 * A `Request` whose signal is made when it is asked for: the constructor's own way to follow one takes longer than
 * everything else of a small request.
 */
export function servedRequest(served: Served, url: string, init: RequestInit): Request {
  // Looking at `globalThis.Request` loads all of undici, which most servlets never use.
  Class ??= class ServedRequest extends Request {
    readonly #served: Served;

    constructor(from: Served, href: string, options: RequestInit) {
      super(href, options);
      this.#served = from;
    }

    static {
      const get = function (this: ServedRequest): AbortSignal {
        return this.#served.signal;
      };
      Object.defineProperty(this.prototype, 'signal', { get, configurable: true, enumerable: true });
      // Nobody who asks what it is need know.
      Object.defineProperty(this.prototype, 'constructor', { value: Request });
    }
  };
  return new Class(served, url, init);
}
