import { html, type Html, sendForward, sendSuspend, type ServletRequest } from '@custodian/worker';

const WARES: readonly (readonly [name: string, price: number])[] = [
  ['Tea', 4],
  ['Bread', 3],
  ['Chess set', 25],
];
const SHIPPING = 5;

/** Payments that were made, in the place of a bank. */
const payments: { name: string; total: number }[] = [];

/**
 * A checkout of five pages: wares, delivery, an address unless it is fetched, a summary, and the receipt. Going back
 * changes what was chosen, up to the payment: that happens once, and what led to it has expired.
 */
export default async function checkout(): Promise<Html> {
  const chosen = await ask('What would you like?', waresForm());
  const wares = WARES.filter(([name]) => chosen.query.getAll('ware').includes(name));
  if (wares.length === 0)
    return page(
      'Nothing chosen',
      html`<p>Come back when you need something.</p>
        ${again}`,
    );

  const delivery = await ask('How do you want to have it?', deliveryForm());
  const isShipped = delivery.query.get('delivery') === 'shipped';
  const address = isShipped ? await askAddress() : null;

  const total = wares.reduce((sum, [, price]) => sum + price, isShipped ? SHIPPING : 0);
  // What changes something is sent by POST: no link leads to it, and no browser fetches it in advance.
  const buyer = await ask('Your order', summaryForm(wares, address, total), { method: 'post', button: 'Pay' });
  const name = buyer.bindings.get('name') || 'Somebody';

  payments.push({ name, total });
  const receipt = payments.length;
  // With this the order page expires, and all before it: whoever goes back can't pay again. Refresh shows the receipt.
  await sendForward((url) => ({ status: 303, headers: { Location: url }, body: null }));
  return page(
    'Thank you',
    html`<p>${name} has paid ${total} €, once. Receipt number ${receipt}.</p>
      <p>${placeOf(address)}</p>
      ${again}`,
  );
}

async function askAddress(): Promise<string> {
  for (let problem = ''; ; problem = 'An address, please.') {
    const reply = await ask(
      'Where to?',
      html`<p>${problem}</p>
        <label>Address <input name="address" autofocus /></label>`,
    );
    const address = (reply.query.get('address') ?? '').trim();
    if (address !== '') return address;
  }
}

/** The order goes there, or, if it is null, nowhere. */
function placeOf(address: string | null): string {
  return address === null ? 'You fetch it at the shop.' : `It will be sent to ${address}.`;
}

function ask(
  title: string,
  fields: Html,
  { method = 'get', button = 'Go on' }: { method?: 'get' | 'post'; button?: string } = {},
): Promise<ServletRequest> {
  return sendSuspend((url) =>
    page(
      title,
      html`<form action="${url}" method="${method}">
        ${fields}
        <p><input type="submit" value="${button}" /></p>
      </form>`,
    ),
  );
}

function waresForm(): Html {
  return html`${WARES.map(
    ([name, price]) =>
      html`<p>
        <label><input type="checkbox" name="ware" value="${name}" /> ${name}, ${price} €</label>
      </p>`,
  )}`;
}

function deliveryForm(): Html {
  return html`<p>
      <label><input type="radio" name="delivery" value="fetched" checked /> I fetch it</label>
    </p>
    <p>
      <label><input type="radio" name="delivery" value="shipped" /> Send it, ${SHIPPING} €</label>
    </p>`;
}

function summaryForm(wares: typeof WARES, address: string | null, total: number): Html {
  return html`<ul>
      ${wares.map(([name, price]) => html`<li>${name}, ${price} €</li>`)}
      ${address === null ? '' : html`<li>Shipping, ${SHIPPING} €</li>`}
    </ul>
    <p>Together ${total} €. ${placeOf(address)}</p>
    <label>Your name <input name="name" /></label>
    <p>After this page you can't go back.</p>`;
}

const again = html`<p><a href="/checkout">To the shop</a></p>`;

function page(title: string, content: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <style>
          body {
            font:
              1.125rem/1.6 system-ui,
              sans-serif;
            margin: 2rem auto;
            max-width: 30rem;
            padding: 0 1rem;
          }
          h1 {
            font-size: 1.5rem;
          }
          input {
            font: inherit;
          }
        </style>
      </head>
      <body>
        <h1>${title}</h1>
        ${content}
      </body>
    </html>`;
}
