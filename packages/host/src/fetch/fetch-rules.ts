import { isIP } from 'node:net';
import { AddressRules } from './address-rules.ts';

/** What a servlet may fetch. */
export interface FetchOptions {
  /**
   * Origins, as `https://api.example.com` and `http://10.1.2.3:9200`; `https://*.example.com` is every name below that
   * one, `*` every public origin.
   */
  origins: readonly string[];
  /**
   * Addresses and subnets that are not public and may be reached all the same, as `127.0.0.1` and `10.0.0.0/8`. An
   * origin that is written as an address names it, too.
   */
  addresses?: readonly string[];
}

const SUBDOMAINS = /^(https?):\/\/\*\.([a-z0-9.-]+)(?::(\d{1,5}))?$/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

interface Family {
  protocol: string;
  /** `.example.com` */
  ending: string;
  port: string;
}

/** Which origins, at which addresses, a servlet may reach. */
export class FetchRules {
  readonly #origins = new Set<string>();
  readonly #families: Family[] = [];
  readonly #addresses: AddressRules;
  #isEvery = false;

  /** @throws RangeError whose message says what is wrong with which of them */
  constructor({ origins, addresses = [] }: FetchOptions) {
    const named = [...addresses];
    for (const origin of origins) {
      const [, scheme, domain, port] = SUBDOMAINS.exec(origin) ?? [];
      if (origin === '*') this.#isEvery = true;
      else if (scheme !== undefined && domain !== undefined) {
        const protocol = `${scheme.toLowerCase()}:`;
        const ending = `.${domain.toLowerCase()}`;
        this.#families.push({ protocol, ending, port: port ?? (DEFAULT_PORTS[protocol] as string) });
      } else {
        const url = URL.canParse(origin) ? new URL(origin) : null;
        if (url === null || !isWeb(url) || `${url.origin}/` !== url.href)
          throw new RangeError(`"${origin}" is no origin, such as https://api.example.com`);
        this.#origins.add(url.origin);
        if (addressIn(url) !== null) named.push(addressIn(url) as string);
      }
    }
    this.#addresses = new AddressRules(named);
  }

  mayFetch(url: URL): boolean {
    if (!isWeb(url)) return false;
    if (this.#isEvery || this.#origins.has(url.origin)) return true;
    const port = url.port || DEFAULT_PORTS[url.protocol];
    return this.#families.some(
      (family) => url.protocol === family.protocol && url.hostname.endsWith(family.ending) && port === family.port,
    );
  }

  mayReach(address: string): boolean {
    return this.#addresses.mayReach(address);
  }
}

/** The address that a URL names itself by; null when it has a name. */
export function addressIn(url: URL): string | null {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return isIP(host) === 0 ? null : host;
}

function isWeb({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}
