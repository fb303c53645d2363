import { checkHeaderLines } from '@custodian/protocol';

/** What the host's own program answers: a page of HTML as a text, or status, headers and body. */
export type HostAnswer =
  | string
  | {
      /** Default 200. */
      status?: number;
      /** A list makes a line of each. Default: `Content-Type: text/html; charset=utf-8` for a text. */
      headers?: Readonly<Record<string, string | readonly string[]>>;
      body?: string | Uint8Array;
    };

/** The same, ready to be sent. */
export interface PreparedAnswer {
  status: number;
  headerLines: string;
  hasDate: boolean;
  body: Buffer;
}

/** @throws TypeError for what can't be sent: a status, a header or a body that is none */
export function prepareAnswer(answer: HostAnswer): PreparedAnswer {
  const { status = 200, headers = {}, body = '' } = typeof answer === 'string' ? { body: answer } : answer;
  if (!Number.isInteger(status) || status < 200 || status > 999)
    throw new TypeError(`Cannot answer: ${String(status)} is no status from 200 to 999`);
  if (typeof body !== 'string' && !(body instanceof Uint8Array))
    throw new TypeError('Cannot answer: its body is neither a text nor bytes');
  let headerLines = '';
  for (const [name, values] of Object.entries(headers))
    for (const value of typeof values === 'string' ? [values] : values) headerLines += headerLine(name, value);
  if (typeof body === 'string' && body !== '' && !/^content-type:/im.test(headerLines))
    headerLines += 'Content-Type: text/html; charset=utf-8\r\n';
  try {
    checkHeaderLines(headerLines);
  } catch (cause) {
    throw new TypeError('Cannot answer: a header is malformed, or is one that the host writes itself', { cause });
  }
  return { status, headerLines, hasDate: /^date:/im.test(headerLines), body: Buffer.from(body) };
}

/** A line, and no second one in it: what visitors have typed may stand in a header. */
function headerLine(name: string, value: string): string {
  const line = `${name}: ${value}`;
  if (/[\r\n\0]/.test(line)) throw new TypeError(`Cannot answer: header "${name.slice(0, 40)}" has a line end in it`);
  return `${line}\r\n`;
}
