import { type Agent, request } from 'node:http';

export interface Answered {
  status: number;
  body: string;
  ms: number;
}

/** One GET and how long it took, from the call to the last byte. */
export function get(url: string, agent?: Agent): Promise<Answered> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(url, agent === undefined ? { agent: false } : { agent }, (response) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (piece: string) => (body += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, ms: performance.now() - startedAt }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}
