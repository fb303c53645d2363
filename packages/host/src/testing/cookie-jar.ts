import { getSetCookies } from 'undici';

interface KeptCookie {
  name: string;
  value: string;
  /** The host that set it, or the domain that it is for. */
  domain: string;
  isForSubdomains: boolean;
  path: string;
  isSecure: boolean;
  /** ms since 1970; Infinity: as long as the jar. */
  expiresAt: number;
}

/** The cookies of one visitor. @see RFC 6265 §5.3, §5.4 */
export class CookieJar {
  readonly #cookies = new Map<string, KeptCookie>();

  /** Takes what a response sets. */
  receive(url: URL, headers: Headers, now: number): void {
    for (const { name, value, domain, path, secure, maxAge, expires } of getSetCookies(headers as never)) {
      const host = url.hostname.toLowerCase();
      const given = domain?.replace(/^\./, '').toLowerCase() ?? '';
      // For another site, or without the encryption that it asks for: not kept.
      if (given !== '' && !isWithin(host, given)) continue;
      if (secure === true && !isTrustworthy(url)) continue;
      if (name.startsWith('__Secure-') && secure !== true) continue;
      if (name.startsWith('__Host-') && (secure !== true || given !== '' || path !== '/')) continue;
      const cookie: KeptCookie = {
        name,
        value,
        domain: given === '' ? host : given,
        isForSubdomains: given !== '',
        path: path?.startsWith('/') === true ? path : defaultPath(url.pathname),
        isSecure: secure === true,
        expiresAt: maxAge !== undefined ? now + maxAge * 1000 : expires !== undefined ? Number(expires) : Infinity,
      };
      const key = `${cookie.domain};${cookie.path};${name}`;
      if (cookie.expiresAt <= now) this.#cookies.delete(key);
      else this.#cookies.set(key, cookie);
    }
  }

  /** The Cookie header of a request; "" for none. Longer paths first, then older cookies. */
  headerFor(url: URL, now: number): string {
    const host = url.hostname.toLowerCase();
    return [...this.#cookies.values()]
      .filter(
        (cookie) =>
          cookie.expiresAt > now &&
          (cookie.isForSubdomains ? isWithin(host, cookie.domain) : host === cookie.domain) &&
          (url.pathname === cookie.path || url.pathname.startsWith(cookie.path.replace(/\/?$/, '/'))) &&
          (!cookie.isSecure || isTrustworthy(url)),
      )
      .toSorted((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  /** The value of a cookie, wherever it is for. */
  get(name: string): string | undefined {
    return [...this.#cookies.values()].find((cookie) => cookie.name === name)?.value;
  }

  /** Forgets all of them, as a visitor does who closes the browser. */
  clear(): void {
    this.#cookies.clear();
  }
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

/** Browsers take the own machine for as good as encrypted. */
function isTrustworthy({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]';
}

function defaultPath(pathname: string): string {
  return pathname.slice(0, pathname.lastIndexOf('/')) || '/';
}
