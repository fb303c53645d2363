import { randomInt } from 'node:crypto';
import { html, type Html, sendFinish, sendSuspend } from '@custodian/worker';

const HIGHEST = 100;

/** A guessing game: a loop that asks. Back and another guess is allowed; it counts as the guess that it replaces. */
export default async function guess(): Promise<Html> {
  const secret = randomInt(1, HIGHEST + 1);
  let hint = `I think of a number from 1 to ${HIGHEST}.`;
  for (let guesses = 1; ; guesses++) {
    const guessed = await ask(hint, guesses);
    if (guessed === secret) {
      // The game is over: its pages expire, and Back offers a new one.
      return sendFinish(
        page(
          html`<p>
            Yes, ${secret}. It took you ${guesses} ${guesses === 1 ? 'guess' : 'guesses'}. <a href="/guess">Again</a>
          </p>`,
        ),
      );
    }
    if (Number.isNaN(guessed)) hint = 'That is no number.';
    else hint = guessed < secret ? `${guessed} is too low.` : `${guessed} is too high.`;
  }
}

async function ask(hint: string, guesses: number): Promise<number> {
  const reply = await sendSuspend((url) =>
    page(
      html`<p>${hint}</p>
        <form action="${url}" method="get">
          <label>Guess ${guesses}: <input type="text" inputmode="numeric" name="guess" required autofocus /></label>
          <input type="submit" value="Try" />
        </form>`,
    ),
  );
  return Number.parseInt(reply.bindings.get('guess') ?? '', 10);
}

function page(content: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <title>Guess a number</title>
        <style>
          body {
            font:
              1.125rem/1.6 system-ui,
              sans-serif;
            margin: 2rem auto;
            max-width: 30rem;
            padding: 0 1rem;
          }
          input {
            font: inherit;
          }
        </style>
      </head>
      <body>
        ${content}
      </body>
    </html>`;
}
