import {
  checkboxGroup,
  formlet,
  html,
  type Html,
  radioGroup,
  selectInput,
  sendFormlet,
  type ServletResult,
  textareaInput,
  textInput,
} from '@custodian/worker';

const EXTRAS = ['Milk', 'Sugar', 'Lemon'];

/** A part of a form of its own, used twice. */
const date = formlet`<span>${{ day: textInput({ label: 'Day', size: 2 }).required('Which day?').toInteger() }}</span>
  <span>${{ month: textInput({ label: 'Month', size: 2 }).required('Which month?').toInteger() }}</span>`.check(
  ({ day, month }) => isDate(day, month),
  'There is no such day.',
  ['day'],
);

/** What is ordered: how the form looks, and what it comes to. */
const order = formlet`
  <p>${{
    name: textInput({ label: 'Your name', attributes: { autocomplete: 'name' } })
      .trimmed()
      .required('Who are you?'),
  }}</p>
  <p>${{ tea: selectInput(['Assam', 'Darjeeling', 'Sencha'], { label: 'Tea' }).required('Which tea?') }}</p>
  <p>${{
    cups: textInput({ label: 'Cups', value: '1', size: 3, hint: 'Up to twelve.' })
      .required('How many?')
      .toInteger()
      .check((cups) => cups >= 1 && cups <= 12, 'From one to twelve.'),
  }}</p>
  <fieldset><legend>With</legend>${{ extras: checkboxGroup(EXTRAS) }}</fieldset>
  <fieldset><legend>Served</legend>${{ served: radioGroup(['hot', 'iced']).required('Hot, or iced?') }}</fieldset>
  <fieldset><legend>From</legend>${{ from: date }}</fieldset>
  <fieldset><legend>Until</legend>${{ until: date }}</fieldset>
  <p>${{ note: textareaInput({ label: 'Anything else', rows: 3 }).trimmed() }}</p>`;

/** An order. Until everything is right, the form is shown again, with what was entered and a word beside each field. */
export default async function tea(): Promise<Html> {
  const ordered = await sendFormlet(order, { submit: 'Order', wrap });
  const { name, tea: sort, cups, extras, served, from, until, note } = ordered;
  return page(
    'Thank you',
    html`<p>
        ${name}: ${cups} ${cups === 1 ? 'cup' : 'cups'} of ${sort},
        ${served}${extras.map((extra) => `, ${extra.toLowerCase()}`)}, every day from ${from.day}/${from.month} until
        ${until.day}/${until.month}.
      </p>
      ${note !== '' && html`<blockquote>${note}</blockquote>`}
      <p>Back and another order is another order. <a href="/formlet">Start anew</a></p>`,
  );
}

/** A form that was sent and came back may be shown again by Back, without being sent once more. */
function wrap(form: Html): ServletResult {
  return { headers: { 'Cache-Control': 'private, no-cache' }, body: page('Tea', form) };
}

function isDate(day: number, month: number): boolean {
  const date = new Date(Date.UTC(2024, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

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
            max-width: 34rem;
            padding: 0 1rem;
          }
          input,
          select,
          textarea,
          button {
            font: inherit;
            max-width: 100%;
          }
          button {
            padding: 0.4rem 1rem;
          }
          fieldset {
            border: 1px solid #8a93;
            border-radius: 0.5rem;
            margin: 0 0 1rem;
          }
          fieldset input {
            margin-block: 0.2rem;
          }
          fieldset label:has(input) {
            margin-right: 1rem;
          }
          textarea {
            box-sizing: border-box;
            display: block;
            width: 100%;
          }
          [aria-invalid] {
            outline: 2px solid #c0392b;
          }
          .problem {
            color: light-dark(#a3341b, #f0957f);
            font-weight: 600;
          }
          span,
          strong.problem {
            display: inline-block;
          }
        </style>
      </head>
      <body>
        <h1>${title}</h1>
        ${content}
      </body>
    </html>`;
}
