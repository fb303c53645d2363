/** One page as a visitor got it. */
export interface Shown {
  url: string;
  status: number;
  headers: Headers;
  text: string;
}

/** Asks a servlet as a browser without JavaScript would: follows links, fills in forms, and keeps every page. */
export class Visitor {
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  async get(path: string, init: RequestInit = {}): Promise<Shown> {
    const response = await fetch(new URL(path, this.#origin), { redirect: 'manual', ...init });
    const { status, headers, url } = response;
    return { url, status, headers, text: await response.text() };
  }

  /** Visits what stands on a page: the n-th continuation, with fields by GET. */
  follow(page: Shown, fields: Readonly<Record<string, string>> = {}, index = 0): Promise<Shown> {
    const url = continuationsOf(page)[index];
    if (url === undefined) throw new Error(`there is no continuation ${index} on the page: ${page.text.slice(0, 500)}`);
    const query = new URLSearchParams(fields).toString();
    return this.get(query === '' ? url : `${url}?${query}`);
  }

  post(page: Shown, fields: Readonly<Record<string, string>>, index = 0): Promise<Shown> {
    return this.get(continuationsOf(page)[index] as string, { method: 'POST', body: new URLSearchParams(fields) });
  }
}

/** The continuations' URLs on a page, in order. */
export function continuationsOf(page: Shown): string[] {
  return Array.from(page.text.matchAll(/[^\s"'<>]*;[kc]=[\w.~%-]+(?:;at=[\w.-]+)?/g), ([url]) => url);
}
