import { type Failure, withoutPayload, withoutToken } from '@custodian/protocol';
import type { Exchange } from '../http/exchange.ts';
import type { ErrorPage } from '../http/error-page.ts';
import { UNCODED } from '../http/body-coding.ts';
import { LIMITS } from '../limits.ts';
import type { Obituary } from './obituary.ts';

/** What the visitor of a request that its thread died of sees. */
export function deathPage(
  obituary: Obituary,
  isDevelopment: boolean,
  failure: Failure | null,
  exchange: Exchange,
): ErrorPage {
  const detail = isDevelopment
    ? deathDetail(obituary, obituary.request, failure, exchange.header('referer'))
    : undefined;
  const page = (status: number, text: string, code: string): ErrorPage => ({
    status,
    title: "This page's program was stopped",
    text,
    code,
    ...(detail === undefined ? {} : { detail }),
  });
  switch (obituary.cause) {
    case 'heap':
    case 'rss':
      return page(
        503,
        `It used more memory than it may: its limit is ${obituary.limitValue} MB.`,
        obituary.cause === 'heap' || obituary.limit === 'heapMb' ? 'LIMIT_HEAP' : 'LIMIT_RSS',
      );
    case 'cpu':
      return page(504, `It used more CPU time than it may: its limit is ${obituary.limitValue} ms.`, 'LIMIT_CPU');
    case 'wall':
      return page(504, `It took longer than it may: its limit is ${obituary.limitValue} ms.`, 'LIMIT_WALL');
    case 'crash':
      return page(500, `It ended itself.${inLog(failure)}`, 'SERVLET_CRASH');
    case 'abort':
      return page(500, 'Its process ended itself.', 'SERVLET_ABORT');
    case 'protocol':
      return page(500, 'It broke the rules between it and its host.', 'CUSTODIAN_PROTOCOL');
    case 'idle':
    case 'drain':
    case 'operator':
      return {
        ...page(503, 'It was stopped by its operator. Try again in a moment.', 'SERVLET_STOPPED'),
        retryAfterSeconds: 1,
      };
  }
}

/** What a visitor sees who comes for a continuation whose thread has died. */
export function gonePage(obituary: Obituary, startUrl: string, isDevelopment: boolean): ErrorPage {
  return {
    status: 410,
    title: 'This page has expired',
    text: `This page's program was stopped: ${shortCause(obituary)}.`,
    code: 'SERVLET_NO_CONTINUATION',
    link: { href: startUrl, text: 'Start again' },
    // Browsers keep a 410 for good unless they are told otherwise.
    headers: { 'Cache-Control': 'no-store' },
    ...(isDevelopment ? { detail: deathDetail(obituary, othersRequest(obituary), null) } : {}),
  };
}

/** What somebody else may see of it: whoever has its continuation can go on with it, and its query is its visitor's. */
function othersRequest({ request }: Obituary): string | null {
  return request === null ? null : withoutPayload(withoutToken(request));
}

function shortCause({ cause, limit, limitValue, detail }: Obituary): string {
  switch (cause) {
    case 'heap':
    case 'rss':
      return limit === null || limitValue === 0 ? 'memory' : `memory, ${limitValue} MB`;
    case 'cpu':
      return `CPU time, ${limitValue} ms`;
    case 'wall':
      return `time, ${limitValue} ms`;
    case 'crash':
      return 'it ended itself';
    case 'abort':
      return 'its process ended itself';
    case 'protocol':
      return 'it broke the rules between it and its host';
    case 'idle':
      return detail === '' ? 'nobody had used it for long' : detail;
    case 'drain':
    case 'operator':
      return 'by its operator';
  }
}

function deathDetail(obituary: Obituary, request: string | null, failure: Failure | null, from?: string): string {
  const lines = [`servlet ${obituary.servlet}, cause: ${obituary.cause}`];
  if (request !== null) lines.push(`request: ${request}`);
  if (from !== undefined) lines.push(`from the page: ${from}`);
  // What made room for another had not rested for as long as that limit says.
  if (obituary.limit !== null && !(obituary.cause === 'idle' && obituary.detail !== '')) {
    lines.push(
      `limit: ${obituary.limit} = ${obituary.limitValue} (${LIMITS[obituary.limit].what})`,
      `to raise it: limits: { ${obituary.limit}: … }`,
    );
  }
  if (failure !== null && obituary.cause === 'crash') return [...lines, ...failureLines(failure)].join('\n');
  if (obituary.detail !== '') lines.push(obituary.detail);
  return lines.join('\n');
}

/** Failures that are the request's own: what it lacks, or has too much of. */
const STATUS_OF_CODE: ReadonlyMap<string, number> = new Map([
  ['SERVLET_BINDING', 400],
  ['SERVLET_BODY_JSON', 400],
  ['SERVLET_FORM_TOO_LARGE', 413],
  ['SERVLET_BODY_CODING', 415],
  ['SERVLET_FORMLET', 400],
]);

/** A servlet threw, or can't be loaded. `exchange`: the request that it happened at. */
export function failurePage(
  failure: Failure,
  servlet: string,
  isDevelopment: boolean,
  exchange: Exchange,
  isLoad = false,
): ErrorPage {
  const shown = isDevelopment ? { detail: failureDetail(failure, servlet, exchange) } : {};
  if (failure.code === 'SERVLET_NEXT_DISPATCHER') {
    return { status: 404, title: 'Not found', text: 'There is no page at this address.', code: failure.code, ...shown };
  }
  const status = isLoad ? undefined : STATUS_OF_CODE.get(failure.code ?? '');
  if (status !== undefined) {
    return {
      status,
      title: 'Bad request',
      text: 'This request is not what the program of this page expects.',
      code: failure.code as string,
      ...(status === 415 ? { headers: UNCODED } : {}),
      ...shown,
    };
  }
  return {
    status: isLoad ? 503 : 500,
    title: isLoad ? 'This program can not be loaded' : 'Internal Server Error',
    text: `${isLoad ? 'It failed before it could answer anything.' : 'The program of this page failed.'}${inLog(failure)}`,
    code: isLoad ? 'SERVLET_LOAD' : 'SERVLET_ERROR',
    ...shown,
    ...(isLoad ? { retryAfterSeconds: 1 } : {}),
  };
}

const inLog = (failure: Failure | null): string =>
  failure?.id === undefined ? '' : ` The operator's log has more about it, under ${failure.id}.`;

/** For the author: his lines, the error with its frames across suspensions, and the request. */
function failureDetail(failure: Failure, servlet: string, exchange: Exchange): string {
  const from = exchange.header('referer');
  const lines = [`servlet ${servlet}`, `request: ${exchange.method} ${exchange.url}`];
  if (from !== undefined) lines.push(`from the page: ${from}`);
  return [...lines, ...failureLines(failure)].join('\n');
}

function failureLines(failure: Failure): string[] {
  const source = failure.source === undefined ? [] : ['', failure.source];
  return [...source, '', describeFailure(failure)];
}

function describeFailure({ name, message, code, stack, cause, errors = [] }: Failure): string {
  const own = stack?.includes(message) === true ? stack : `${name}: ${message}\n${stack ?? ''}`;
  // As Node writes it, of its own errors.
  const coded = code === undefined || own.includes(code) ? own : own.replace(`${name}: `, () => `${name} [${code}]: `);
  const behind = errors.map((each) => `\none of its errors: ${describeFailure(each)}`);
  if (cause !== undefined) behind.push(`\ncaused by: ${describeFailure(cause)}`);
  return `${coded}${behind.join('')}`;
}

/** A request in a shared thread ran out of time. */
export function latePage(servlet: string, wallMs: number): ErrorPage {
  return {
    status: 504,
    title: 'This page took too long',
    text: `It took longer than it may: its limit is ${wallMs} ms.`,
    code: 'LIMIT_WALL',
    detail: `servlet ${servlet}, limit: wallMs = ${wallMs}`,
  };
}

const BUSY_TEXTS = {
  LIMIT_QUEUE: 'Too many requests are waiting for this program already.',
  LIMIT_QUEUE_TIMEOUT: 'This program had no time for this request.',
  LIMIT_THREADS: 'As many visitors as this program can have at once are in the middle of something.',
  SERVLET_BENCHED: 'This program fails whenever it is started. It is tried again from time to time.',
  SERVLET_BYSTANDER:
    'The program of this page was stopped because of another request, and this one may not be repeated by itself.',
};

/** The servlet can't take a request now. */
export function busyPage(
  code: keyof typeof BUSY_TEXTS,
  servlet: string,
  error: string | null,
  waitMs = 1000,
): ErrorPage {
  return {
    status: 503,
    title: 'Not available at the moment',
    text: BUSY_TEXTS[code],
    code,
    detail: error === null ? `servlet ${servlet}` : `servlet ${servlet}\n${error}`,
    retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
  };
}
