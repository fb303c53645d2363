import { html, type Html, sendSuspend, type ServletRequest } from '@custodian/worker';

export const stateless = true;
export const limits = { cpuMs: 5000 };

interface Row {
  id: number;
  name: string;
  price: number;
  tags: string[];
}

/** A page that holds rows of about `bytes` bytes; the next one tells how many there are. */
export default async function state({ query }: ServletRequest): Promise<Html> {
  const rows = rowsOf(Number(query.get('bytes')));
  await sendSuspend((url) => html`<form action="${url}"></form>`);
  return html`<p>${rows.length}</p>`;
}

/** No two are alike, so that compressing them is work. */
function rowsOf(bytes: number): Row[] {
  let at = 1;
  const random = (): number => (at = (at * 48_271) % 2_147_483_647);
  return Array.from({ length: Math.round(bytes / 60) }, (_, id) => ({
    id,
    name: `${random().toString(36)} ${random().toString(36)}`,
    price: random() / 1000,
    tags: [`t${random() % 50}`, random().toString(36)],
  }));
}
