/** How long and by whom an answer may be kept (RFC 9111 §5.2.2, RFC 5861, RFC 8246). Times are whole seconds. */
export interface CacheOptions {
  immutable?: boolean;
  maxAge?: number;
  mustRevalidate?: boolean;
  mustUnderstand?: boolean;
  noCache?: boolean;
  noStore?: boolean;
  noTransform?: boolean;
  private?: boolean;
  proxyRevalidate?: boolean;
  public?: boolean;
  sMaxage?: number;
  staleIfError?: number;
  staleWhileRevalidate?: number;
}

const DIRECTIVES: Readonly<Record<keyof CacheOptions, { name: string; hasSeconds?: true }>> = {
  immutable: { name: 'immutable' },
  maxAge: { name: 'max-age', hasSeconds: true },
  mustRevalidate: { name: 'must-revalidate' },
  mustUnderstand: { name: 'must-understand' },
  noCache: { name: 'no-cache' },
  noStore: { name: 'no-store' },
  noTransform: { name: 'no-transform' },
  private: { name: 'private' },
  proxyRevalidate: { name: 'proxy-revalidate' },
  public: { name: 'public' },
  sMaxage: { name: 's-maxage', hasSeconds: true },
  staleIfError: { name: 'stale-if-error', hasSeconds: true },
  staleWhileRevalidate: { name: 'stale-while-revalidate', hasSeconds: true },
};

/**
 * The value of one Cache-Control header, its directives in the order of the alphabet; null when there is none.
 * @throws TypeError for an option that there isn't, or a value that is none
 * @example cacheControl({ maxAge: 3600, public: true }) // 'max-age=3600, public'
 */
export function cacheControl(options: CacheOptions): string | null {
  for (const name of Object.keys(options))
    if (!Object.hasOwn(DIRECTIVES, name))
      throw new TypeError(`Cannot set cache option "${name}": there is none of that name`);
  const directives: string[] = [];
  for (const [option, { name, hasSeconds }] of Object.entries(DIRECTIVES)) {
    const value = options[option as keyof CacheOptions];
    if (value === undefined || value === false) continue;
    if (hasSeconds === true ? !Number.isSafeInteger(value) || (value as number) < 0 : value !== true)
      throw new TypeError(
        `Cannot set cache option "${option}": ${String(value)} is ${hasSeconds === true ? 'not a whole number of seconds' : 'neither true nor false'}`,
      );
    directives.push(hasSeconds === true ? `${name}=${String(value)}` : name);
  }
  return directives.length === 0 ? null : directives.join(', ');
}
