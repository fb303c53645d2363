/** Flows of pages, of all kinds. Each page has one link, and whoever follows them comes to an end. */
import {
  adjustTimeout,
  captureContinuation,
  type CapturedContinuation,
  checkboxGroup,
  currentRequest,
  embedUrl,
  fileUpload,
  formlet,
  html,
  type Html,
  native,
  onExpired,
  page,
  redirectGet,
  selectInput,
  sendBack,
  sendFinish,
  sendFormlet,
  sendForward,
  sendSuspend,
  sendSuspendDispatch,
  sendSuspendHidden,
  sendSuspendUrl,
  sequential,
  serverRef,
  softState,
  textInput,
  webCell,
  webParameter,
} from '@custodian/worker';
import type { Work } from './work.ts';

const seen = webCell('nothing');
const depth = webParameter(0);
const order = formlet`<p>${{ name: textInput({ label: 'Name' }).trimmed().required() }}</p>
  <p>${{ tea: selectInput(['Assam', 'Sencha'], { label: 'Tea' }) }}</p>
  <p>${{ extras: checkboxGroup(['Milk']) }}</p>
  <p>${{ photo: fileUpload({ label: 'Photo' }) }}</p>`;

const link = (url: string | URL): Html => html`<a href="${String(url)}">on</a>`;

async function suspends(): Promise<string> {
  const list = softState(() => [1, 2]);
  const shared = { set: new Set([1]), map: new Map([['a', { date: new Date(0) }]]), bytes: new Uint8Array(3) };
  const next = await sendSuspend(link);
  seen.shadow(next.bindings.get('a') ?? 'none');
  await sendSuspendUrl(link);
  return `${seen.get()} ${(await list.get()).length} ${shared.set.size + shared.map.size + shared.bytes.length}`;
}

async function dispatches(): Promise<string> {
  const chosen = await depth.run(1, () => sendSuspendDispatch<string>((embed) => link(embed(tea))));
  return `${chosen} ${depth()}`;
}

async function tea(): Promise<string> {
  await sendSuspend(link);
  return 'tea';
}

const counted = page((_request, count: number): Html =>
  link(embedUrl((next) => (count > 1 ? 'counted' : counted(next, count + 1)))),
);

async function hidden(): Promise<string> {
  const { bindings } = await sendSuspendHidden(
    (url, field) => html`<form action="${url}" method="post">${field}</form>`,
  );
  return String(bindings.get('a'));
}

async function forwards(): Promise<string> {
  await sendSuspend(link);
  await redirectGet();
  await sendForward(link);
  return `forwarded ${currentRequest().method}`;
}

async function many(): Promise<string> {
  const texts = await sequential([1, 2], each);
  return texts.join();
}

async function each(number: number): Promise<string> {
  try {
    await sendSuspend(link);
    return String(number);
  } finally {
    depth();
  }
}

async function captures(): Promise<string> {
  const got = await captureContinuation<CapturedContinuation<string> | string>((k) => k);
  if (typeof got !== 'string') return got.resume('again');
  await sendSuspend(link);
  return got;
}

async function natives(): Promise<string> {
  const kept = serverRef(new Promise<void>(() => {}));
  await native(async () => {
    await sendSuspend(link);
  });
  await sendSuspend(link);
  return typeof kept.get();
}

async function forms(): Promise<string> {
  const { name } = await sendFormlet(order, { wrap: (form) => html`<main>${form}</main>` });
  return name;
}

async function ends(): Promise<unknown> {
  await sendSuspend(link);
  return sendFinish('finished');
}

async function backs(): Promise<unknown> {
  await sendSuspend(link);
  return sendBack('back');
}

async function catches(): Promise<string> {
  try {
    await failing();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing';
}

async function failing(): Promise<void> {
  await sendSuspend(link);
  throw new RangeError('after a page');
}

async function makerFails(): Promise<void> {
  await sendSuspend(() => {
    throw new RangeError('in a page');
  });
}

/** By the names that requests ask for it with. */
export const FLOW_WORK: Record<string, Work> = {
  suspends,
  dispatches,
  counted: (request) => counted(request, 0),
  hidden,
  forwards,
  many,
  captures,
  natives,
  forms,
  ends,
  backs,
  catches,
  makerFails,
  expires: () => {
    adjustTimeout(60_000);
    return onExpired(() => 'expired', suspends);
  },
};
