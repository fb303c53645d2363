import { ServletRequest } from '../../packages/worker/src/http/request.ts';

/** A request as a thread would make it; one with a body is a POST. */
export function servletRequest(
  url: string,
  { method, headers = [], body }: { method?: string; headers?: readonly string[]; body?: string } = {},
): ServletRequest {
  const rest = body === undefined ? [] : [Buffer.from(body)];
  const head = {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    url,
    clientIp: '::1',
    rawHeaders: [...headers],
    hasBody: body !== undefined,
  };
  return new ServletRequest(head as never, body === undefined ? null : { next: async () => rest.shift() ?? null });
}
